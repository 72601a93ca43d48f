//! Orders over HTTP.

use std::net::SocketAddr;

use serde_json::Value;
use simplebank::core::Rejection;
use uuid::Uuid;

use super::order::{Answer, Legs, Order, Sent};
use crate::{
    bank::Customer,
    http::{self, Connection},
    load::{Told, key_of},
};

/// Sends an order once.
pub(super) async fn send(
    address: SocketAddr,
    token: &str,
    customers: &[Customer],
    order: &Order,
    number: usize,
) -> Sent {
    let (path, body) = request(customers, order);
    let request = http::post(&path, token, &key_of(number), &body);
    let Some(answer) = Connection::new(address).ask(&request).await else { return Sent::Unknown };
    let Ok(json) = serde_json::from_str::<Value>(&answer.body) else {
        return Sent::Wrong(format!("{answer:?}"));
    };
    let read = match answer.status {
        200 | 201 => read(order, &json).map(Sent::Answered),
        404 | 422 => refusal(&json).map(|code| Sent::Answered(Answer::Refused(code))),
        503 => match json.pointer("/code").and_then(Value::as_str) {
            Some("overloaded") => Some(Sent::Failed("overloaded")),
            Some("unavailable") => Some(Sent::Failed("unavailable")),
            Some("outcome_unknown") => Some(Sent::Unknown),
            Some(_) | None => None,
        },
        _ => None,
    };
    read.unwrap_or_else(|| Sent::Wrong(format!("{answer:?}")))
}

fn request(customers: &[Customer], order: &Order) -> (String, String) {
    let Legs { from, to, cents } = order.legs();
    let customer = |number: usize| customers.get(number).expect("a customer");
    let transfer = http::transfer_body(customer(from), customer(to), cents);
    let part = format!(r#"{{"amount": "{}.{:02}", "currency": "EUR"}}"#, cents / 100, cents % 100);
    match order {
        Order::Transfer(_) => ("/v1/transfers".to_owned(), transfer),
        Order::Hold(_, seconds) => {
            let expiry = format!(r#"{{"expires_in_seconds": {seconds}, "#);
            ("/v1/holds".to_owned(), transfer.replacen('{', &expiry, 1))
        }
        Order::Capture(hold, _) => (format!("/v1/holds/{hold}/capture"), part),
        Order::Void(hold, _) => (format!("/v1/holds/{hold}/void"), "{}".to_owned()),
        Order::Reverse(transfer, _) => (format!("/v1/transfers/{transfer}/reversals"), part),
    }
}

fn read(order: &Order, json: &Value) -> Option<Answer> {
    match order {
        Order::Hold(..) | Order::Void(..) => {
            Some(Answer::Held { hold: json.get("id")?.as_str()?.parse::<Uuid>().ok()? })
        }
        Order::Transfer(_) | Order::Capture(..) | Order::Reverse(..) => {
            match http::acknowledged(json)? {
                Told::Acknowledged { transfer, version, balance_after } => {
                    Some(Answer::Posted { transfer, version, balance_after })
                }
                Told::Nothing | Told::Held { .. } | Told::Refused(_) | Told::Failed(_) => None,
            }
        }
    }
}

fn refusal(json: &Value) -> Option<&'static str> {
    let code = json.pointer("/code")?.as_str()?;
    Rejection::CODES.iter().copied().find(|known| *known == code)
}
