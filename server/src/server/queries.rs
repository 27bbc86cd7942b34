//! Asks the application its own queries over HTTP, as fixes ask: of allow-listed addresses alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use stella_protocol::Text;
use stella_protocol::fix::{HttpAct, HttpMethod};
use tokio::time::Instant;

use crate::migrate::queries::Query;
use crate::migrate::run::queries::{Application, Heard};
use crate::remedy::run::http::HttpCaller;
use crate::remedy::settings::MigrationSettings;

/// How long the application has for an answer, in milliseconds: five times what people wait for its slowest list.
const ANSWER_MS: u64 = 10_000;
const OK: u16 = 200;
/// It does not know whom it was asked for.
const NOT_FOUND: u16 = 404;

/// An application that can be asked.
pub(super) struct OverHttp {
    caller: Arc<HttpCaller>,
    queries: Vec<Query>,
    /// Where each base is.
    urls: BTreeMap<String, String>,
}

impl OverHttp {
    /// None: none of its queries is declared.
    pub fn open(
        caller: &Arc<HttpCaller>,
        settings: &MigrationSettings,
        urls: BTreeMap<String, String>,
    ) -> Option<Self> {
        let queries = settings.queries.clone();
        (!queries.is_empty()).then(|| Self { caller: Arc::clone(caller), queries, urls })
    }

    fn act(&self, query: &Query, user: &str) -> HttpAct {
        let base = self.urls.get(&query.base).map_or("", String::as_str);
        HttpAct {
            base: Text::new(query.base.clone()),
            method: HttpMethod::Get,
            url: Text::new(format!("{base}{}", query.path.of(user))),
            headers: BTreeMap::new(),
            body: None,
            success: vec![OK],
            timeout_ms: ANSWER_MS,
        }
    }
}

impl Application for OverHttp {
    fn queries(&self) -> &[Query] {
        &self.queries
    }

    fn ask<'a>(&'a self, query: &'a Query, user: &'a str) -> BoxFuture<'a, Heard> {
        Box::pin(async move {
            let act = self.act(query, user);
            let begun = Instant::now();
            let answer = self.caller.look(&act).await;
            let took = begun.elapsed();
            let said = match answer {
                Ok((OK, Some(body))) => query.shape.read(&body),
                Ok((OK, None)) => Err("its answer is longer than 256 KiB; declare a query that counts".to_owned()),
                // Whoever is not known there is shown nothing: that is an answer.
                Ok((NOT_FOUND, _)) => Ok(query.shape.nothing()),
                Ok((status, _)) => Err(format!("it answered {status}")),
                Err(why) => Err(why),
            };
            Heard { took, said }
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::migrate::queries::{Path, Shape, Visible};
    use crate::remedy::run::http::Base;

    /// An application that gives these answers, one a connection, and what it was asked.
    async fn application(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4_096];
                let read = stream.read(&mut head).await.unwrap();
                asked.push(String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, serving)
    }

    #[tokio::test]
    async fn an_answer_counts_an_unknown_user_is_shown_nothing_and_everything_else_is_silence_with_its_reason() {
        let (url, serving) = application(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"items\":[{\"id\":\"a\"},null]}",
            "HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{\"items\":[{\"id\":\"a\"}]}",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        ])
        .await;
        let base = Base::new("application", &url, Vec::new(), None).unwrap();
        let query = Query {
            name: "list".into(),
            base: "application".into(),
            path: Path::parse("/users/{userId}/list").unwrap(),
            shape: Shape::Items { at: "/items".into(), name: Some("/id".into()) },
            collection: None,
        };
        let settings = MigrationSettings { queries: vec![query.clone()], ..MigrationSettings::default() };
        let urls = BTreeMap::from([("application".to_owned(), url)]);
        let asks = OverHttp::open(&Arc::new(HttpCaller::new(vec![base])), &settings, urls).unwrap();
        let broken = asks.ask(&query, "a b").await.said;
        assert!(broken.unwrap_err().contains("/id"));
        assert_eq!(asks.ask(&query, "a@b").await.said, Ok(Visible::Items(["a".to_owned()].into())));
        assert_eq!(asks.ask(&query, "x").await.said, Ok(Visible::Items([].into())));
        assert!(asks.ask(&query, "x").await.said.unwrap_err().contains("302"));
        assert!(asks.ask(&query, "..").await.said.unwrap_err().contains("upwards"));
        assert_eq!(serving.await.unwrap()[..2], ["GET /users/a%20b/list HTTP/1.1", "GET /users/a%40b/list HTTP/1.1"]);
        assert!(asks.ask(&query, "x").await.said.is_err(), "nobody listens any more");
        assert!(OverHttp::open(&asks.caller, &MigrationSettings::default(), BTreeMap::new()).is_none());
    }
}
