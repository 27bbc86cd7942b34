//! A change of one document: what it would do, and the image kept before it does. Reads only.

use std::collections::BTreeMap;

use serde_json::Value;
use stella_protocol::Text;
use stella_protocol::fix::{DocumentAct, DocumentChange};

use crate::documents::{Document, DocumentKey, Documents, shape};
use crate::remedy::BeforeImage;

/// What the change would do, in words.
pub(super) async fn rehearse(documents: &dyn Documents, act: &DocumentAct) -> Result<Vec<Text>, Text> {
    let (document, after) = both(documents, act).await?;
    let path = document.key.path();
    let fields = document.fields.len();
    let Some(after) = after else {
        return Ok(vec![Text::new(format!("{path} is there with {fields} fields; it would be deleted"))]);
    };
    let changed: Vec<&str> = after
        .iter()
        .filter(|(name, value)| document.fields.get(*name) != Some(*value))
        .map(|(name, _)| name.as_str())
        .collect();
    if changed.is_empty() {
        return Err(Text::new(format!("{path} is like that already: nothing would change")));
    }
    Ok(vec![Text::new(format!("{path} is there with {fields} fields; these would change: {}", changed.join(", ")))])
}

/// The document now, and as the change leaves it.
pub(super) async fn image(documents: &dyn Documents, act: &DocumentAct) -> Result<BeforeImage, Text> {
    let (document, after) = both(documents, act).await?;
    Ok(BeforeImage {
        collection: document.key.collection,
        id: document.key.id,
        before: Some(object(document.fields)),
        version: Some(document.version),
        after: after.map(object),
    })
}

type Fields = BTreeMap<String, Value>;

async fn both(documents: &dyn Documents, act: &DocumentAct) -> Result<(Document, Option<Fields>), Text> {
    let key = DocumentKey::new(act.collection.raw(), act.id.raw());
    let found = documents.get(&key).await.map_err(|error| Text::new(format!("failed to {error}")))?;
    let document = found.ok_or_else(|| Text::new(format!("{} is not there", key.path())))?;
    let after = match &act.change {
        DocumentChange::Delete => None,
        DocumentChange::Set { fields } => {
            let mut after = document.fields.clone();
            after.extend(fields.clone());
            shape::fields(&after).map_err(|error| Text::new(format!("failed to {error}")))?;
            Some(after)
        }
        DocumentChange::Unknown => return Err(Text::from("this server does not know this change of a document")),
    };
    Ok((document, after))
}

fn object(fields: Fields) -> Value {
    Value::Object(fields.into_iter().collect())
}
