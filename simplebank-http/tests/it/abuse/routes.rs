//! Every route there is, from the bank's own document: what is added to it is attacked from then on.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::support::{User, World, nobodys_account};

/// A route, as the document describes it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{id}` where an id stands.
    pub(super) path: String,
    /// True when it asks for a token.
    pub(super) is_private: bool,
    /// The names of the body's fields, if it takes JSON.
    pub(super) fields: Option<Vec<String>>,
    /// The names of the parameters in the query.
    pub(super) parameters: Vec<String>,
}

impl Route {
    pub(super) async fn all(world: &World) -> Vec<Self> {
        let document = world.anyone().get("/openapi.json").await.is(200);
        let mut routes = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let body = &operation["requestBody"]["content"]["application/json"]["schema"];
                routes.push(Self {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    is_private: operation["security"][0]["bearer"].is_array(),
                    fields: (!body.is_null()).then(|| fields(&document, body)),
                    parameters: parameters(operation),
                });
            }
        }
        assert!(routes.len() > 30, "{routes:?}");
        routes
    }

    /// The path for an id.
    pub(super) fn path_of(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }

    /// A request of this route, with a key in case it needs one, about something that is not there.
    pub(super) fn request(&self, user: &User<'_>) -> RequestBuilder {
        let request = user.request(self.method.clone(), &self.path_of(&nobodys_account()));
        if self.path.ends_with("/batch") {
            request
        } else {
            request.header("Idempotency-Key", "abuse")
        }
    }
}

fn fields(document: &Value, schema: &Value) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    let properties = schema["properties"].as_object();
    properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn parameters(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let in_query = parameters.filter(|parameter| parameter["in"] == "query");
    in_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}
