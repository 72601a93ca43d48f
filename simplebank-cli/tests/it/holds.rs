//! `simplebank hold`, `simplebank reverse`, and what a payment says about itself.

use crate::{Bank, assert_has, fields};

const NOBODYS: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_hold_is_placed_shown_captured_and_given_back() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "100", "EUR"]);
    let place = ["hold", "place", "--from", &alice, "--to", &bob, "60", "EUR"];
    let said = ["--description", "a room", "--reference", "B-7", "--expires-in-seconds", "3600"];
    let placed = bank.json(&[place.as_slice(), &said, &["--key", "h"]].concat());
    assert_eq!(fields(&placed), ["hold", "idempotency_key"]);
    let hold = &placed["hold"];
    assert_eq!([&hold["state"], &hold["description"]], ["open", "a room"]);
    let id = hold["id"].as_str().unwrap();
    assert_eq!(bank.json(&["hold", "show", id]), *hold);
    assert_has(
        &bank.run(&["hold", "list", &bob]).ok().stdout,
        &[id, "60.00", "open", "a room", "B-7"],
    );
    let text = bank.run(&[place.as_slice(), &said, &["--key", "h"]].concat()).ok().stdout;
    assert_has(&text, &["hold", id, "60.00 EUR", "expires at", "a room"]);
    let refused = bank.run(&["withdraw", &alice, "40.01", "EUR", "--json"]);
    assert_eq!(refused.error()["code"], "insufficient_funds", "what is held is not available");

    let captured = bank.json(&["hold", "capture", id, "25", "EUR", "--key", "c"]);
    let transfer = &captured["transfer"];
    assert_eq!(
        [&transfer["kind"], &transfer["amount"], &transfer["hold_id"]],
        ["capture", "25.00", id]
    );
    assert_eq!(bank.json(&["hold", "capture", id, "25.00", "EUR", "--key", "c"]), captured);
    let transfer_id = transfer["id"].as_str().unwrap();
    let reverse = ["reverse", transfer_id, "5", "EUR", "--description", "sorry", "--key", "r"];
    let reversal = bank.json(&reverse);
    assert_eq!(reversal["transfer"]["reverses_id"], transfer_id);
    assert_eq!(reversal["transfer"]["description"], "sorry");
    assert_eq!(bank.json(&reverse), reversal, "the same key, the same answer");
    assert_eq!(bank.json(&["reverse", transfer_id])["transfer"]["amount"], "20.00", "the rest");
    let refused = bank.run(&["reverse", transfer_id, "--json"]);
    assert_eq!((refused.code, &refused.error()["code"]), (1, &"reversal_exceeds_transfer".into()));
    assert_eq!([bank.balance(&alice), bank.balance(&bob)], ["100.00", "0.00"]);

    let second = bank.json(&place)["hold"]["id"].as_str().unwrap().to_owned();
    assert_eq!(bank.json(&["hold", "void", &second])["hold"]["state"], "voided");
    let resolved = bank.run(&["hold", "capture", &second, "--json"]);
    assert_eq!((resolved.code, &resolved.error()["code"]), (1, &"hold_resolved".into()));
    let list = bank.json(&["hold", "list", &alice, "--limit", "1"]);
    assert_eq!(list["items"][0]["id"], second.as_str());
    let older =
        bank.json(&["hold", "list", &alice, "--before", list["next_cursor"].as_str().unwrap()]);
    assert_eq!(older["items"][0]["id"], id);
    assert_eq!(bank.json(&["hold", "list", &alice, "--all"])["items"].as_array().unwrap().len(), 2);
    bank.run(&["verify"]).ok();
}

#[tokio::test]
async fn what_a_payment_says_about_itself_is_kept() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    let said = ["--description", "Miete März 🏠", "--reference", "R/1"];
    for command in [
        vec!["deposit", &alice, "10", "EUR"],
        vec!["transfer", "--from", &alice, "--to", &bob, "4", "EUR"],
        vec!["withdraw", &bob, "1", "EUR"],
    ] {
        let receipt = bank.json(&[command.as_slice(), &said].concat());
        let transfer = &receipt["transfer"];
        assert_eq!([&transfer["description"], &transfer["reference"]], ["Miete März 🏠", "R/1"]);
        let text = bank.run(&[command.as_slice(), &said, &["--dry-run"]].concat()).ok().stdout;
        assert_has(&text, &["Miete März 🏠", "R/1"]);
    }
    let listed = bank.json(&["transfers", &bob]);
    assert_eq!(listed["items"][0]["description"], "Miete März 🏠");
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_writes_nothing() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "100", "EUR"]);
    let paid = bank.json(&["transfer", "--from", &alice, "--to", &bob, "20", "EUR"]);
    let paid = paid["transfer"]["id"].as_str().unwrap();
    let place = ["hold", "place", "--from", &alice, "--to", &bob, "5", "EUR"];
    let hold = bank.json(&place)["hold"]["id"].as_str().unwrap().to_owned();
    let before = bank.everything().await;
    for command in [
        vec!["deposit", &alice, "3", "EUR"],
        vec!["withdraw", &alice, "3", "EUR"],
        vec!["transfer", "--from", &alice, "--to", &bob, "3", "EUR"],
        place.to_vec(),
        vec!["hold", "capture", &hold],
        vec!["hold", "void", &hold],
        vec!["reverse", paid, "1", "EUR"],
    ] {
        let tried =
            bank.run(&[command.as_slice(), &["--dry-run", "--key", "k", "--json"]].concat()).ok();
        assert_eq!(tried.error()["dry_run"], "nothing was written");
        assert_eq!(tried.json()["idempotency_key"], "k");
        assert_eq!(bank.everything().await, before, "{command:?}");
    }
    let refused = bank.run(&["withdraw", &bob, "1000", "EUR", "--dry-run", "--json"]);
    assert_eq!((refused.code, &refused.error()["code"]), (1, &"insufficient_funds".into()));
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn what_is_wrong_with_a_hold_or_reversal_is_told_by_its_name() {
    let (bank, alice, bob) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "10", "EUR"]);
    let place = ["hold", "place", "--from", &alice, "--to", &bob];
    let hold = bank.json(&[place.as_slice(), &["5", "EUR"]].concat())["hold"]["id"].clone();
    let hold = hold.as_str().unwrap();
    let before = bank.everything().await;
    for (command, argument) in [
        ([place.as_slice(), &["0", "EUR"]].concat(), "<AMOUNT>"),
        (
            [place.as_slice(), &["1", "EUR", "--expires-in-seconds", "0"]].concat(),
            "--expires-in-seconds",
        ),
        (
            [place.as_slice(), &["1", "EUR", "--expires-in-seconds", "2678401"]].concat(),
            "--expires-in-seconds",
        ),
        ([place.as_slice(), &["1", "EUR", "--description", ""]].concat(), "--description"),
        ([place.as_slice(), &["1", "EUR", "--reference", "a b"]].concat(), "--reference"),
        (vec!["hold", "capture", "x"], "<HOLD>"),
        (vec!["hold", "capture", hold, "1"], "CURRENCY"),
        (vec!["hold", "capture", hold, "-1", "EUR"], "AMOUNT"),
        (vec!["hold", "capture", hold, "1", "USD"], "currency must be the hold's, EUR"),
        (vec!["hold", "void", ""], "<HOLD>"),
        (vec!["hold", "show", "1"], "<HOLD>"),
        (vec!["hold", "list", &alice, "--before", "1"], "--before <HOLD>"),
        (vec!["hold", "list", &alice, "--limit", "0"], "--limit <NUMBER>"),
        (vec!["reverse", "x"], "<TRANSFER>"),
        (vec!["reverse", NOBODYS, "1.001", "EUR"], "AMOUNT"),
    ] {
        let refused = bank.run(&command);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{command:?} {refused:?}");
        assert_has(&refused.stderr, &["error: ", argument]);
    }
    assert_eq!(bank.everything().await, before);
    for (command, code) in [
        (vec!["hold", "show", NOBODYS], "hold_not_found"),
        (vec!["hold", "void", NOBODYS], "hold_not_found"),
        (vec!["hold", "capture", NOBODYS, "1", "EUR"], "hold_not_found"),
        (vec!["hold", "capture", hold, "5.01", "EUR"], "capture_exceeds_hold"),
        (vec!["hold", "list", NOBODYS], "account_not_found"),
        (vec!["reverse", NOBODYS, "1", "EUR"], "transfer_not_found"),
    ] {
        let refused = bank.run(&[command.as_slice(), &["--json"]].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{command:?} {refused:?}");
        assert_eq!(refused.error()["code"], code, "{command:?}");
    }
}
