//! Writes the generated Cedar schema to `policies/schema.cedarschema`, for editors and for people who write policies.

fn main() -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/schema.cedarschema");
    std::fs::write(path, bursar_policy::schema::text())
}
