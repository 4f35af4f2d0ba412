//! What policies may talk about, as a Cedar schema made from the catalogues of `domain`: actors, roles, verbs, effects
//! and facts. Every fact is optional, so that strict validation makes a policy ask `context has x` before it looks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use bursar_domain::action::{VERBS, effects_of};
use bursar_domain::actor::Actor;
use bursar_domain::effect::Effect;
use bursar_domain::facts::{FactKind, FactName};
use bursar_domain::role::Role;
use cedar_policy::{Authorizer, Entities, Entity, EntityId, EntityTypeName, EntityUid, Schema};

/// Cedar's name of each kind of actor, and whether it can hold roles.
const ACTORS: [(&str, bool); 5] =
    [("Person", true), ("ApiKey", true), ("Agent", true), ("Playbook", false), ("Engine", false)];

/// Attributes of the context that are no facts.
pub(crate) const OTHER_ATTRIBUTES: [&str; 2] = ["target_kind", "target_id"];

/// Cedar's name of an actor's kind.
pub(crate) fn actor_type(actor: &Actor) -> &'static str {
    match actor {
        Actor::Person { .. } => "Person",
        Actor::ApiKey { .. } => "ApiKey",
        Actor::Agent { .. } => "Agent",
        Actor::Playbook { .. } => "Playbook",
        Actor::Engine => "Engine",
    }
}

/// The schema as text, the same on every call.
pub fn text() -> String {
    let mut out = String::with_capacity(6000);
    write_text(&mut out).expect("writing to a string cannot fail");
    out
}

fn write_text(out: &mut String) -> std::fmt::Result {
    out.push_str(
        "// What policies may talk about. Generated from the catalogues of the code: do not edit.\n\n",
    );
    out.push_str("namespace Bursar {\n");
    let roles: Vec<String> = Role::ALL.iter().map(|role| format!("\"{role}\"")).collect();
    writeln!(out, "  // Roles of the installation: `principal in Bursar::Role::\"support\"`.")?;
    writeln!(out, "  entity Role enum [{}];\n", roles.join(", "))?;
    writeln!(
        out,
        "  // Who asks. A key and an agent hold the roles they were given, never more than their owner."
    )?;
    for (name, holds_roles) in ACTORS {
        writeln!(out, "  entity {name}{};", if holds_roles { " in [Role]" } else { "" })?;
    }
    writeln!(out, "\n  // Where it happens: a Stripe account in one mode.")?;
    writeln!(out, "  entity Lane {{ account: String, livemode: Bool }};\n")?;
    writeln!(
        out,
        "  // Minor units. `amount_home` is the worth in home currency, there when a dated rate is configured."
    )?;
    writeln!(out, "  type Money = {{ amount: Long, currency: String, amount_home?: Long }};\n")?;
    write_facts(out)?;
    writeln!(out, "  // What actions do to the world: `action in Bursar::Action::\"money_out\"`.")?;
    for effect in Effect::ALL {
        writeln!(out, "  action \"{}\";", effect.as_str())?;
    }
    writeln!(out, "\n  // What Bursar can do.")?;
    let actors: Vec<&str> = ACTORS.iter().map(|(name, _)| *name).collect();
    for verb in VERBS {
        let effects: Vec<String> =
            effects_of(verb).iter().map(|effect| format!("\"{}\"", effect.as_str())).collect();
        writeln!(out, "  action \"{verb}\" in [{}] appliesTo {{", effects.join(", "))?;
        writeln!(out, "    principal: [{}], resource: [Lane], context: Facts", actors.join(", "))?;
        writeln!(out, "  }};")?;
    }
    out.push_str("}\n");
    Ok(())
}

fn write_facts(out: &mut String) -> std::fmt::Result {
    writeln!(out, "  // Absent when not known.")?;
    writeln!(out, "  type Facts = {{")?;
    writeln!(
        out,
        "    // The Stripe object it is done to.\n    target_kind?: String,\n    target_id?: String,"
    )?;
    for fact in FactName::ALL {
        writeln!(out, "    // {}", fact.meaning())?;
        match (fact, fact.kind()) {
            (FactName::Amount, _) => {
                writeln!(out, "    amount?: Long,\n    currency?: String,\n    amount_home?: Long,")?;
            }
            (_, FactKind::Money) => writeln!(out, "    {}?: Money,", fact.as_str())?,
            (_, FactKind::Count) => writeln!(out, "    {}?: Long,", fact.as_str())?,
            (_, FactKind::Flag) => writeln!(out, "    {}?: Bool,", fact.as_str())?,
            (_, FactKind::Text) => writeln!(out, "    {}?: String,", fact.as_str())?,
            (_, FactKind::Time) => writeln!(out, "    {}?: Long, // seconds since 1970", fact.as_str())?,
        }
    }
    writeln!(out, "  }};\n")
}

/// Everything of Cedar's that does not depend on a policy set, made once.
pub(crate) struct Model {
    pub schema: Schema,
    pub authorizer: Authorizer,
    pub actors: BTreeMap<&'static str, EntityTypeName>,
    pub roles: BTreeMap<Role, EntityUid>,
    pub lane: EntityTypeName,
    /// Each verb with the effects it is a member of.
    pub verbs: BTreeMap<&'static str, Entity>,
}

pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let (schema, _) =
        Schema::from_cedarschema_str(&text()).expect("a test loads the schema, which has no input");
    let actions = schema.action_entities().expect("the schema's own actions");
    Model {
        actors: ACTORS.iter().map(|(name, _)| (*name, type_name(name))).collect(),
        roles: Role::ALL.iter().map(|role| (*role, uid(type_name("Role"), role.as_str()))).collect(),
        lane: type_name("Lane"),
        verbs: VERBS.iter().map(|verb| (*verb, action_entity(&actions, verb))).collect(),
        authorizer: Authorizer::new(),
        schema,
    }
});

fn type_name(name: &str) -> EntityTypeName {
    format!("Bursar::{name}").parse().expect("a plain Cedar name of ours")
}

pub(crate) fn uid(kind: EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

pub(crate) fn action_uid(name: &str) -> EntityUid {
    uid(type_name("Action"), name)
}

/// The action as the schema declares it: a member of the effects it has.
fn action_entity(actions: &Entities, verb: &str) -> Entity {
    actions.get(&action_uid(verb)).cloned().expect("the schema declares every verb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_valid_and_holds_every_fact_with_its_type() {
        let (schema, warnings) = Schema::from_cedarschema_str(&text()).unwrap();
        assert_eq!(warnings.count(), 0);
        let text = text();
        for fact in FactName::ALL {
            let kind = match (fact, fact.kind()) {
                (FactName::Amount, _) | (_, FactKind::Count | FactKind::Time) => "Long",
                (_, FactKind::Money) => "Money",
                (_, FactKind::Flag) => "Bool",
                (_, FactKind::Text) => "String",
            };
            let line = format!("    {}?: {kind},", fact.as_str());
            assert!(text.lines().any(|known| known.starts_with(&line)), "{line}");
            assert!(text.contains(fact.meaning()), "{}", fact.as_str());
        }
        for verb in VERBS {
            let action = action_uid(verb);
            assert_eq!(schema.principals_for_action(&action).unwrap().count(), ACTORS.len(), "{verb}");
        }
        let actions = schema.action_entities().unwrap();
        for verb in VERBS {
            for effect in effects_of(verb) {
                assert!(actions.is_ancestor_of(&action_uid(effect.as_str()), &action_uid(verb)), "{verb}");
            }
        }
        assert_eq!(MODEL.verbs.len(), VERBS.len());
    }

    #[test]
    fn every_kind_of_actor_is_in_the_schema() {
        for name in ["Person", "ApiKey", "Agent", "Playbook", "Engine"] {
            assert!(MODEL.actors.contains_key(name));
        }
        assert!(MODEL.actors.contains_key(actor_type(&Actor::Engine)));
    }
}
