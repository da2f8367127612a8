//! `board/common/config.schema.json`, a JSON Schema of the configuration for editors: it is what the table of fields says.

use guild_bridge::budget;
use guild_bridge::config::schema::{ANSWERS, Kind, NAME_CHARS, ROOT, Shape};
use serde_json::{Map, Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/board/common/config.schema.json");

fn object(shape: &Shape) -> Value {
    let field = |field: &guild_bridge::config::schema::Field| {
        let mut value = kind(&field.kind);
        value["description"] = json!(field.about);
        (field.name.to_owned(), value)
    };
    let fields: Map<String, Value> = shape.fields.iter().map(field).collect();
    let required: Vec<&str> = shape.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
}

/// Lengths are bytes to the daemon and characters here: the schema never refuses what the daemon takes.
fn kind(kind: &Kind) -> Value {
    let text = |bytes: &usize| json!({"type": "string", "minLength": 1, "maxLength": bytes});
    let seconds = |ms: &u64| *ms as f64 / 1000.0;
    match kind {
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Whole(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Kind::Seconds(from, to) => json!({"type": "number", "minimum": seconds(from), "maximum": seconds(to)}),
        Kind::Text(bytes) => text(bytes),
        Kind::Word(words) => json!({"enum": words}),
        Kind::Texts(least, most, bytes) => {
            let item = json!({"type": "string", "maxLength": bytes});
            json!({"type": "array", "items": item, "minItems": least, "maxItems": most})
        }
        Kind::TextOrTexts(most, bytes) => {
            let list = json!({"type": "array", "items": text(bytes), "minItems": 1, "maxItems": most});
            json!({"anyOf": [text(bytes), list]})
        }
        Kind::Wholes(to, most) => {
            let item = json!({"type": "integer", "minimum": 0, "maximum": to});
            json!({"type": "array", "items": item, "maxItems": most})
        }
        Kind::Strings(most) => {
            json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": most})
        }
        Kind::Object(shape) => object(shape),
        Kind::Named(shape, most) => {
            let names = json!({"pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": NAME_CHARS});
            json!({"type": "object", "propertyNames": names, "additionalProperties": object(shape), "maxProperties": most})
        }
        Kind::Pointer => json!({"type": "string", "pattern": "^(/.*)?$"}),
        Kind::Answer => {
            let answers: Vec<Value> = ANSWERS.iter().map(|shape| object(shape)).collect();
            json!({"oneOf": answers})
        }
        Kind::Json => json!({}),
    }
}

#[test]
fn the_schema_for_editors_is_the_table_of_fields() {
    let mut schema = object(&ROOT);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("guild-bridge: the configuration");
    schema["description"] =
        json!("JSON with // and /* */ comments and trailing commas. `guild-bridge check` says more.");
    let want = format!("{schema:#}\n");
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        std::fs::write(FILE, &want).unwrap();
    }
    let there = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(there == want, "it is another now; write it: WRITE_SCHEMA=1 cargo test --test spec -- schema_for_editors");
    let agents = &schema["properties"]["agents"];
    assert_eq!(agents["maxProperties"], budget::AGENTS);
    assert_eq!(agents["additionalProperties"]["properties"]["answer"]["oneOf"].as_array().unwrap().len(), 4);
}
