//! A few documents in memory, for tests of look-ups: reads only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::documents::{
    AbsentPage, Capabilities, Document, DocumentKey, DocumentPage, DocumentWrite, Documents, DocumentsError, Written,
};

#[derive(Default)]
pub(super) struct Shelf(Mutex<BTreeMap<DocumentKey, Document>>);

impl Shelf {
    pub(super) fn put(&self, collection: &str, id: &str, fields: Value) {
        let key = DocumentKey { collection: collection.to_owned(), id: id.to_owned() };
        let fields = serde_json::from_value(fields).unwrap_or_default();
        let document = Document { key: key.clone(), version: 1, fields };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, document);
    }

    fn of(&self, collection: &str) -> Vec<Document> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|document| document.key.collection == collection).cloned().collect()
    }
}

impl Documents for Shelf {
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_batch: false, batch: 0 }
    }

    fn collections<'a>(&'a self, _under: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>, DocumentsError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn scan<'a>(
        &'a self,
        collection: &'a str,
        _after: Option<&'a str>,
        _limit: usize,
    ) -> BoxFuture<'a, Result<DocumentPage, DocumentsError>> {
        Box::pin(async move { Ok(DocumentPage { documents: self.of(collection), next: None }) })
    }

    fn absent<'a>(
        &'a self,
        _collection: &'a str,
        _after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<AbsentPage, DocumentsError>> {
        Box::pin(async { Ok(AbsentPage::default()) })
    }

    fn get<'a>(&'a self, key: &'a DocumentKey) -> BoxFuture<'a, Result<Option<Document>, DocumentsError>> {
        Box::pin(async move { Ok(self.of(&key.collection).into_iter().find(|document| document.key == *key)) })
    }

    fn write(&self, _writes: Vec<DocumentWrite>) -> BoxFuture<'_, Result<Vec<Written>, DocumentsError>> {
        Box::pin(async { Err(DocumentsError::Refused("this shelf is read only".to_owned())) })
    }

    fn count<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<u64, DocumentsError>> {
        Box::pin(async move { Ok(self.of(collection).len() as u64) })
    }
}
