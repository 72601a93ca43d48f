//! The OpenAPI document and its page.

use serde_json::Value;

use crate::support::World;

/// Every route, with who may use it: `-` anybody, `*` who has a token.
const ROUTES: &[&str] = &[
    "get /health/live -",
    "get /health/ready -",
    "get /v1/accounts *",
    "post /v1/accounts *",
    "get /v1/accounts/{id} *",
    "get /v1/accounts/{id}/balance *",
    "post /v1/accounts/{id}/close *",
    "post /v1/accounts/{id}/deposits *",
    "get /v1/accounts/{id}/entries *",
    "post /v1/accounts/{id}/freeze *",
    "patch /v1/accounts/{id}/limits *",
    "get /v1/accounts/{id}/statement *",
    "post /v1/accounts/{id}/unfreeze *",
    "post /v1/accounts/{id}/withdrawals *",
    "get /v1/holds *",
    "post /v1/holds *",
    "get /v1/holds/{id} *",
    "post /v1/holds/{id}/capture *",
    "post /v1/holds/{id}/void *",
    "delete /v1/sessions *",
    "get /v1/sessions *",
    "delete /v1/sessions/{id} *",
    "post /v1/tokens/renew_access -",
    "get /v1/transfers *",
    "post /v1/transfers *",
    "post /v1/transfers/batch *",
    "get /v1/transfers/{id} *",
    "post /v1/transfers/{id}/reversals *",
    "post /v1/users -",
    "post /v1/users/login -",
    "post /v1/users/logout *",
    "get /v1/users/me *",
    "post /v1/users/me/password *",
    "post /v1/users/me/verification_codes *",
    "post /v1/users/me/verify_email *",
    "get /v1/verify-email -",
    "post /v1/verify-email -",
];

#[tokio::test]
async fn the_document_lists_every_route_and_who_may_use_it() {
    let world = World::new().await;
    let document = world.anyone().get("/openapi.json").await.is(200);
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let who = if operation["security"][0]["bearer"].is_array() { '*' } else { '-' };
            routes.push(format!("{method} {path} {who}"));
        }
    }
    let path = |route: &String| route.split(' ').nth(1).map(str::to_owned);
    routes.sort_by_key(|route| (path(route), route.clone()));
    assert_eq!(routes, ROUTES);
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn the_document_is_whole() {
    let world = World::new().await;
    let document = world.anyone().get("/openapi.json").await.is(200);
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap());
            check_problems(operation);
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let has_key = parameters.iter().any(|parameter| {
                parameter["name"] == "Idempotency-Key"
                    && parameter["in"] == "header"
                    && parameter["required"] == true
            });
            // Each transfer of a batch has a key of its own.
            let is_batch = path.ends_with("/batch");
            let moves_money = method == "post"
                && (["/v1/transfers", "/v1/holds"].contains(&path.as_str())
                    || ["deposits", "withdrawals", "capture", "void", "reversals", "batch"]
                        .iter()
                        .any(|call| path.ends_with(&format!("/{call}"))));
            assert_eq!(has_key, moves_money && !is_batch, "{method} {path}");
            let can_be_tried = parameters.iter().any(|parameter| parameter["name"] == "dry_run");
            assert_eq!(can_be_tried, moves_money, "{method} {path}");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    check_references(&document, &document);
}

/// Every refusal is a problem document.
fn check_problems(operation: &Value) {
    for (status, response) in operation["responses"].as_object().unwrap() {
        if status.starts_with(['4', '5']) {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{operation}");
        }
    }
}

/// Every reference leads somewhere.
fn check_references(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            members.values().for_each(|member| check_references(member, document));
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(item, document)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_page_needs_no_other_host() {
    let world = World::new().await;
    let anyone = world.anyone();
    let page = anyone.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html");
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    let start = anyone.get("/docs/swagger-initializer.js").await;
    for text in [&page.text, &start.text] {
        assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
        assert!(!text.contains("\"//"), "{text}");
    }
    assert!(start.text.contains("/openapi.json"), "{start:?}");
    // No script stands in the page itself, which its policy would forbid.
    assert!(!page.text.contains("<script>"), "{page:?}");
    for file in
        ["swagger-ui.css", "index.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"]
    {
        assert!(page.text.contains(file), "{file}");
        let answer = anyone.get(&format!("/docs/{file}")).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(!answer.text.is_empty(), "{file}");
    }
}
