//! An order's content: equal for equal wishes, different for different ones.

use std::collections::BTreeMap;

use proptest::test_runner::{TestCaseError, TestError};

use super::{histories::fixed_runner, *};

/// Few values each, so that orders differ in little, and texts that look like what stands between them.
fn actions() -> impl Strategy<Value = Action> {
    let text = || proptest::option::of("[ab1|:sr]{1,3}");
    let memo = (text(), text()).prop_map(|(description, reference)| Memo {
        description: description.and_then(|text| text.parse().ok()),
        reference: reference.and_then(|text| text.parse().ok()),
    });
    let amount = || proptest::sample::select(vec![1, 10, 11, 101]).prop_map(eur);
    let codes = proptest::sample::select(vec!["EUR", "JPY"]);
    let terms = (0_u8..2, 0_u8..2, amount(), codes, memo.clone()).prop_map(
        |(from, to, amount, code, memo)| Terms {
            currency: currency(code),
            memo,
            ..terms(from, to, amount)
        },
    );
    let (id, known) = (any::<u64>().prop_map(|n| n % 9), 0_u64..2);
    let lasting = prop_oneof![Just(1_u32), Just(11)].prop_map(seconds);
    (0_u8..7, id, known, (terms, lasting, memo), proptest::option::of(amount())).prop_map(
        |(which, id, known, (terms, lasting, memo), amount)| {
            let (id, new_hold) = (transfer_id(id), hold_id(id));
            let (hold, transfer) = (hold_id(known), transfer_id(known));
            match which {
                0 => Action::Transfer { id, terms },
                1 => Action::Deposit { id, terms },
                2 => Action::Withdraw { id, terms },
                3 => Action::Hold { id: new_hold, terms, lasting },
                4 => Action::Capture { id, hold, amount },
                5 => Action::Void { hold },
                _ => Action::Reverse { id, transfer, amount, memo },
            }
        },
    )
}

/// The wish without the id that it is given.
fn wish(action: &Action) -> Action {
    let (id, new_hold) = (transfer_id(0), hold_id(0));
    match action.clone() {
        Action::Transfer { terms, .. } => Action::Transfer { id, terms },
        Action::Deposit { terms, .. } => Action::Deposit { id, terms },
        Action::Withdraw { terms, .. } => Action::Withdraw { id, terms },
        Action::Hold { terms, lasting, .. } => Action::Hold { id: new_hold, terms, lasting },
        Action::Capture { hold, amount, .. } => Action::Capture { id, hold, amount },
        Action::Void { hold } => Action::Void { hold },
        Action::Reverse { transfer, amount, memo, .. } => {
            Action::Reverse { id, transfer, amount, memo }
        }
    }
}

fn check(actions: &[Action], content: fn(&Action) -> String) -> Result<(), TestCaseError> {
    let mut wishes = BTreeMap::<String, Action>::new();
    for action in actions {
        let text = content(action);
        prop_assert!(!text.contains(['\n', '\r']), "{text:?}");
        let first = wishes.entry(text).or_insert_with(|| wish(action));
        prop_assert_eq!(&wish(action), first);
    }
    for action in actions {
        prop_assert_eq!(content(action), content(&wish(action)), "the id is no part of it");
    }
    Ok(())
}

fn content(action: &Action) -> String {
    Order { ordered_by: Principal::Operator, action: action.clone() }.content()
}

fn many_actions() -> impl Strategy<Value = Vec<Action>> {
    proptest::collection::vec(actions(), 0..200)
}

proptest! {
    #[test]
    fn orders_that_differ_have_different_contents_and_equal_ones_equal_contents(actions in many_actions()) {
        check(&actions, content)?;
    }
}

fn with_terms(action: &Action, change: fn(Terms) -> Terms) -> String {
    content(&match action.clone() {
        Action::Transfer { id, terms } => Action::Transfer { id, terms: change(terms) },
        Action::Deposit { id, terms } => Action::Deposit { id, terms: change(terms) },
        Action::Withdraw { id, terms } => Action::Withdraw { id, terms: change(terms) },
        Action::Hold { id, terms, lasting } => Action::Hold { id, terms: change(terms), lasting },
        other @ (Action::Capture { .. } | Action::Void { .. } | Action::Reverse { .. }) => other,
    })
}

fn run_together(memo: &Memo) -> Memo {
    let description = memo.description.as_ref().map(|text| text.as_str());
    let reference = memo.reference.as_ref().map(|text| text.as_str());
    let texts: Vec<_> = [description, reference].into_iter().flatten().collect();
    Memo { description: texts.join("|").parse().ok(), reference: None }
}

/// The controls: contents that leave something out, let texts run into each other, or say too much.
#[test]
fn contents_with_a_defect_are_noticed() {
    let defects: [fn(&Action) -> String; 8] = [
        |action| with_terms(action, |it| Terms { amount: eur(1), ..it }),
        |action| with_terms(action, |it| Terms { currency: currency("EUR"), ..it }),
        |action| with_terms(action, |it| Terms { to_account_id: account_id(0), ..it }),
        |action| with_terms(action, |it| Terms { memo: run_together(&it.memo), ..it }),
        |action| content(action).replace("deposit", "transfer"),
        |action| content(action).replace("|11s", "|1s"),
        |action| content(action).replace("|all", "|10"),
        |action| format!("{action:?}"),
    ];
    for (n, defect) in defects.into_iter().enumerate() {
        let found = fixed_runner(64).run(&many_actions(), |actions| check(&actions, defect));
        assert!(matches!(found, Err(TestError::Fail(..))), "defect {n}: {found:?}");
    }
    assert_eq!(fixed_runner(64).run(&many_actions(), |actions| check(&actions, content)), Ok(()));
}

#[test]
fn an_order_says_what_has_to_be_locked_for_it() {
    let (id, terms) = (transfer_id(1), terms(1, 2, eur(1)));
    let (hold, transfer) = (hold_id(2), transfer_id(3));
    let sides = [account_id(1), account_id(2)];
    let lasting = Lasting::default();
    let cases = [
        (Action::Transfer { id, terms: terms.clone() }, &sides[..], None, None),
        (Action::Deposit { id, terms: terms.clone() }, &sides[..], None, None),
        (Action::Withdraw { id, terms: terms.clone() }, &sides[..], None, None),
        (Action::Hold { id: hold_id(1), terms, lasting }, &sides[..], None, None),
        (Action::Capture { id, hold, amount: None }, &[], Some(hold), None),
        (Action::Void { hold }, &[], Some(hold), None),
        (
            Action::Reverse { id, transfer, amount: None, memo: Memo::NONE },
            &[],
            None,
            Some(transfer),
        ),
    ];
    for (action, accounts, hold, transfer) in cases {
        let order = Order { ordered_by: banker(), action };
        assert_eq!(order.accounts().collect::<Vec<_>>(), accounts, "{order:?}");
        assert_eq!((order.hold(), order.reversed_transfer()), (hold, transfer), "{order:?}");
    }
}
