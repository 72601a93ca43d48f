//! What issuing and verifying a token costs with each maker.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use simplebank::{
    core::{Role, SessionId, TokenId, UserId},
    token::{
        Claims, EdDsa, Expected, Hs256, PasetoLocal, PasetoPublic, SecretKey, SymmetricKey,
        TokenKind, TokenMaker,
    },
};
use time::{Duration, macros::datetime};

fn tokens(criterion: &mut Criterion) {
    let now = datetime!(2026-01-01 00:00 UTC);
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
    let shared = SymmetricKey::generate().expect("the system has randomness");
    let pair = SecretKey::generate().expect("the system has randomness");
    let makers: [(&str, Box<dyn TokenMaker>); 4] = [
        ("paseto_v4_local", Box::new(PasetoLocal::new(&shared))),
        ("paseto_v4_public", Box::new(PasetoPublic::new(&pair))),
        ("jwt_hs256", Box::new(Hs256::new(&shared))),
        ("jwt_eddsa", Box::new(EdDsa::new(&pair))),
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
