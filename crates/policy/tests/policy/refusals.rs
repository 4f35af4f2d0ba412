//! Sets that are refused, with the place.

use bursar_policy::{LoadError, PolicyFile, PolicySet, SET_BYTES_MAX, default_set};

use crate::scene::{judge, loaded, playbook, refund};

fn refused(text: &str) -> Vec<LoadError> {
    PolicySet::load(&[PolicyFile::new("p.cedar", text)]).expect_err(text)
}

fn first(text: &str) -> String {
    refused(text)[0].to_string()
}

const SCOPE: &str = "(principal, action == Bursar::Action::\"refund.create\", resource)";

#[test]
fn what_cedar_cannot_parse() {
    let text = "// fine\n@id(\"a\")\npermit(principal, action, resource)\nwhen { context.amount <=< 3 };";
    let error = &refused(text)[0];
    assert_eq!((error.file.as_str(), error.line, error.column), ("p.cedar", 4, 25));
    assert!(
        first("@id(\"a\") permit(principal, action, resource)").starts_with("p.cedar:1:"),
        "no semicolon"
    );
    assert!(
        first("@id(\"a\") permit(principal == ?principal, action, resource);").starts_with("p.cedar:1:"),
        "a template"
    );
    assert!(
        first("@id(\"a\") @id(\"b\") permit(principal, action, resource);").starts_with("p.cedar:1:"),
        "twice"
    );
    assert!(first("amount <= 3").starts_with("p.cedar:1:"));
    let open = first("@id(\"a\") permit(principal \"and\nall that\", action, resource);");
    assert!(open.contains("and all that") && !open.contains('\n'), "on one line: {open}");
}

#[test]
fn every_broken_policy_is_named_not_only_the_first() {
    let text =
        "permit(principal, action, resource);\n@id(\"B\") permit(principal, action, resource);\npermit(;\n";
    let places: Vec<u32> = refused(text).iter().map(|error| error.line).collect();
    assert_eq!(places, [1, 2, 3]);
}

#[test]
fn what_does_not_validate_strictly() {
    for (case, condition, line, says) in [
        ("no guard", "context.disputed", 3, "optional"),
        ("no such fact", "context has mood && context.mood == \"bad\"", 3, "mood"),
        ("wrong type", "context has amount && context.amount == \"100\"", 3, "types"),
        ("never true", "context has amount && !(context has amount)", 1, "false"),
        ("no such role", "principal in Bursar::Role::\"boss\"", 3, "boss"),
        ("no such type", "principal is Bursar::Robot", 3, "Robot"),
        ("guard of another fact", "context has amount && context.amount_home < 1", 3, "amount_home"),
    ] {
        let error = &refused(&format!("@id(\"a\")\npermit{SCOPE}\nwhen {{ {condition} }};"))[0];
        assert_eq!(error.line, line, "{case}: {error}");
        assert!(error.message.contains(says), "{case}: {error}");
    }
    assert!(
        first("@id(\"a\") permit(principal, action == Bursar::Action::\"refund\", resource);")
            .contains("refund")
    );
    assert!(
        first("@id(\"a\") permit(principal is Bursar::Lane, action, resource);").starts_with("p.cedar:1:1")
    );
    assert!(
        first("@id(\"a\") permit(principal, action in Bursar::Action::\"credit\", resource);")
            .starts_with("p.cedar:1:1")
    );
}

#[test]
fn ids_and_annotations() {
    let permit = format!("permit{SCOPE};");
    assert_eq!(first(&permit), "p.cedar:1:1: the policy has no @id");
    assert_eq!(
        first(&format!("@id(\"a\") {permit}\n\n  @id(\"a\") {permit}")),
        "p.cedar:3:3: the id `a` is taken by the policy at p.cedar:1"
    );
    assert_eq!(
        first(&format!("@id(\"a\") @aks(\"controller\") {permit}")),
        "p.cedar:1:1: unknown annotation @aks"
    );
    assert!(first(&format!("@id(\"a\") @ask(\"boss\") {permit}")).contains("`boss` is not a role"));
    assert!(
        first(&format!("@id(\"a\") @ask(\"controller\") @quorum(\"none\") {permit}")).contains("@quorum")
    );
    assert!(
        first(&format!("@id(\"a\") @ask(\"controller\") @expires(\"soon\") {permit}")).contains("@expires")
    );
    assert!(first(&format!("@id(\"a\") @ask(\"controller\") forbid{SCOPE};")).contains("@ask on a forbid"));
}

#[test]
fn ids_are_unique_over_files() {
    let file = |path| PolicyFile::new(path, format!("@id(\"a\") permit{SCOPE};"));
    let errors = PolicySet::load(&[file("a.cedar"), file("b.cedar")]).unwrap_err();
    assert_eq!(errors[0].to_string(), "b.cedar:1:1: the id `a` is taken by the policy at a.cedar:1");
    let twice =
        PolicySet::load(&[PolicyFile::new("a.cedar", ""), PolicyFile::new("a.cedar", "")]).unwrap_err();
    assert!(twice[0].message.contains("twice"));
}

#[test]
fn sizes_beyond_the_limits() {
    let big = " ".repeat(SET_BYTES_MAX);
    assert!(PolicySet::load(&[PolicyFile::new("p.cedar", big.as_str())]).is_ok());
    let errors =
        PolicySet::load(&[PolicyFile::new("p.cedar", big), PolicyFile::new("q.cedar", " ")]).unwrap_err();
    assert_eq!((errors.len(), errors[0].file.as_str()), (1, ""));
    for (case, condition) in [
        ("bytes", format!("context has amount{}", " ".repeat(9000))),
        ("operators", vec!["true"; 66].join(" && ")),
        ("brackets", format!("{}true{}", "(".repeat(16), ")".repeat(16))),
        ("dots", format!("context{}", ".amount".repeat(257))),
    ] {
        assert!(
            first(&format!("@id(\"a\") permit{SCOPE} when {{ {condition} }};")).contains("too big"),
            "{case}"
        );
    }
}

/// The deepest tree that fits into one policy is read and judged alike on a small stack and on a large one.
#[test]
fn the_deepest_policy_that_is_read_is_judged_anywhere() {
    let (opening, closing) = ("!(".repeat(15), ")".repeat(15));
    let guard = "context has amount && ";
    for (condition, allowed) in [
        (format!("{opening}{guard}context.amount != 0{} {closing}", " && 0 == 0".repeat(63)), false),
        (format!("{guard}0 == 0{}", " + 0".repeat(63)), true),
        (format!("{guard}(context.amount == 0{})", " || context.amount == 1".repeat(63)), true),
        (format!("{guard}({} true)", "if context.amount == 3 then false else ".repeat(62)), true),
        (format!("{guard}{}true{}.isEmpty() == false", "[".repeat(12), "]".repeat(12)), true),
    ] {
        let text = format!("@id(\"a\") permit{SCOPE} when {{ {condition} }};");
        for stack_bytes in [256 * 1024, 32 << 20] {
            let text = text.clone();
            let judged = std::thread::Builder::new()
                .stack_size(stack_bytes)
                .spawn(move || judge(&loaded(&text), "refund.create", &playbook(), &[], &refund(1)).ruling)
                .unwrap();
            let ruling = judged.join().unwrap();
            assert_eq!(
                ruling == bursar_domain::verdict::Ruling::Allow,
                allowed,
                "{condition} in {stack_bytes}"
            );
        }
    }
}

#[test]
fn text_that_looks_other_than_it_is() {
    for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}'] {
        let error = &refused(&format!("// a comment\n// {hidden}\n@id(\"a\") permit{SCOPE};"))[0];
        assert_eq!((error.line, error.column), (2, 4));
    }
    let homoglyph =
        format!("@id(\"a\") permit{SCOPE} when {{ context has currency && context.currency == \"uѕd\" }};");
    assert!(!refused(&homoglyph).is_empty());
}

fn pair(automatic: &str, asking: &str) -> Result<PolicySet, Vec<LoadError>> {
    let text = format!(
        "@id(\"automatic\") permit{automatic};\n@id(\"asking\") @ask(\"controller\") permit{asking};"
    );
    PolicySet::load(&[PolicyFile::new("p.cedar", text)])
}

fn refund_when(condition: &str) -> String {
    format!("{SCOPE} when {{ {condition} }}")
}

#[test]
fn asking_permits_that_shadow_automatic_ones() {
    let limit = refund_when("context has amount_home && context.amount_home <= 10000");
    for (case, automatic, asking) in [
        ("asks about everything", limit.as_str(), SCOPE.to_owned()),
        ("asks about all actions", &limit, "(principal, action, resource)".to_owned()),
        (
            "asks about the effect",
            &limit,
            "(principal, action in Bursar::Action::\"money_out\", resource)".to_owned(),
        ),
        ("the same", &limit, limit.clone()),
        ("wider", &limit, refund_when("context has amount_home && context.amount_home <= 20000")),
        (
            "overlaps at the limit",
            &limit,
            refund_when("context has amount_home && context.amount_home >= 10000"),
        ),
        (
            "overlaps below the limit",
            &limit,
            refund_when("context has amount_home && 5000 < context.amount_home"),
        ),
        (
            "in other words",
            &limit,
            format!("{SCOPE} unless {{ context has amount_home && context.amount_home < 10000 }}"),
        ),
        (
            "hidden in an or",
            &limit,
            refund_when("context has amount_home && (context.amount_home > 9000 || context.amount_home < 5)"),
        ),
        (
            "only a flag asked",
            &limit,
            refund_when(
                "context has amount_home && (if context has disputed then !context.disputed else true)",
            ),
        ),
        (
            "a condition no facts were made up for",
            &refund_when("context has template && context.template like \"a*b\""),
            refund_when("context has template && context.template like \"a*b\""),
        ),
        (
            "nothing is automatic",
            SCOPE,
            refund_when("if context has amount_home then context.amount_home < 1 else true"),
        ),
    ] {
        let errors = pair(automatic, &asking).expect_err(case);
        assert_eq!((errors.len(), errors[0].line), (1, 2), "{case}: {errors:?}");
        assert!(errors[0].message.contains("automatic (p.cedar:1)"), "{case}: {errors:?}");
    }
}

#[test]
fn asking_permits_that_only_narrow_or_continue() {
    let limit = refund_when("context has amount_home && context.amount_home <= 10000");
    for (case, asking) in [
        ("continues", refund_when("context has amount_home && context.amount_home > 10000")),
        (
            "continues in other words",
            format!("{SCOPE} unless {{ context has amount_home && context.amount_home <= 10000 }}"),
        ),
        ("another fact", refund_when("context has refund_reason && context.refund_reason == \"fraudulent\"")),
        ("not known", refund_when("!(context has decline_class)")),
        ("some actors", "(principal is Bursar::Agent, action, resource)".to_owned()),
        ("some roles", "(principal in Bursar::Role::\"support\", action, resource)".to_owned()),
        ("one mode", "(principal, action, resource) when { resource.livemode }".to_owned()),
        ("another action", "(principal, action == Bursar::Action::\"invoice.pay\", resource)".to_owned()),
    ] {
        pair(&limit, &asking).unwrap_or_else(|errors| panic!("{case}: {errors:?}"));
    }
}

#[test]
fn the_hash_knows_content_and_not_order() {
    let files = default_set();
    let hash = |files: &[PolicyFile]| PolicySet::load(files).unwrap().hash().to_owned();
    let reversed: Vec<PolicyFile> = files.iter().rev().cloned().collect();
    assert_eq!(hash(&files), hash(&reversed));
    let mut changed = files.clone();
    changed[0].text.push(' ');
    assert_ne!(hash(&files), hash(&changed));
    changed[0] = PolicyFile::new("policies/other.cedar", files[0].text.as_str());
    assert_ne!(hash(&files), hash(&changed));
    assert_eq!(hash(&files).len(), 64);
}
