//! What issuing and verifying a token costs with each maker.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use simplebank::{
    core::{Role, SessionId, TokenId, UserId},
    token::{Claims, Expected, Hs256, PasetoLocal, SymmetricKey, TokenKind, TokenMaker},
};
use time::{Duration, macros::datetime};

fn tokens(criterion: &mut Criterion) {
    let now = datetime!(2026-01-01 00:00 UTC);
    let key: SymmetricKey = "8c2fd6f51ab3e09d4c7716a9e02b5d3488aa10cf6e94b72d53f1087be6c9d240"
        .parse()
        .expect("a key that is not weak");
    let claims = Claims {
        id: TokenId::from_parts(1, [1; 10]),
        subject: UserId::from_parts(1, [2; 10]),
        role: Role::Depositor,
        session: SessionId::from_parts(1, [3; 10]),
        kind: TokenKind::Access,
        issuer: "simplebank".to_owned(),
        audience: "simplebank".to_owned(),
        issued_at: now,
        not_before: now,
        expires_at: now + Duration::HOUR,
    };
    let expected =
        Expected { kind: TokenKind::Access, issuer: "simplebank", audience: "simplebank" };
    let makers: [(&str, Box<dyn TokenMaker>); 2] = [
        ("paseto_v4_local", Box::new(PasetoLocal::new(&key))),
        ("jwt_hs256", Box::new(Hs256::new(&key))),
    ];
    for (name, maker) in makers {
        let token = maker.issue(&claims).expect("claims of this year");
        assert_eq!(maker.verify(&token, &expected, now), Ok(claims.clone()));
        criterion.bench_function(&format!("{name}/issue"), |bencher| {
            bencher.iter(|| maker.issue(black_box(&claims)))
        });
        criterion.bench_function(&format!("{name}/verify"), |bencher| {
            bencher.iter(|| maker.verify(black_box(&token), &expected, now));
        });
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
