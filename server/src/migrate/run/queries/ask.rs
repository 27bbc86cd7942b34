//! The calls of one side: in which order, how often, and when it is enough.

use std::time::Duration;

use tokio::time::Instant;

use super::super::site::{Ended, Run};
use super::Heard;
use crate::migrate::queries::{Asked, Query, Visible};

/// Times that every user is asked each query: the median of three drops one that something disturbed.
const ROUNDS: usize = 3;
/// Longest that a side is asked: what was answered by then counts. A person waits for it.
const BUDGET: Duration = Duration::from_mins(2);
/// A query that was not answered so often, and never, is not asked any more on this side.
const GIVE_UP: u64 = 3;

/// Somebody, and the ids that they had, each with how many documents it owned; most first.
#[derive(Debug)]
pub(super) struct Person {
    /// The id that stays.
    pub user: String,
    /// The ids that are asked with.
    pub ids: Vec<(u64, String)>,
}

/// One side.
pub(super) struct Round<'r> {
    run: &'r Run,
    queries: &'r [Query],
    until: Instant,
}

/// What is known of a query and a user while they are asked.
struct Cell<'q> {
    query: &'q Query,
    asked: Asked,
    visible: Option<Visible>,
    /// The id whose calls are timed.
    main: String,
}

impl<'r> Round<'r> {
    pub fn new(run: &'r Run, queries: &'r [Query]) -> Self {
        Self { run, queries, until: Instant::now() + BUDGET }
    }

    /// Everybody with each of their ids once, to see what is shown; then again with the one that shows most.
    pub async fn before(self, people: &[Person]) -> Result<Vec<Asked>, Ended> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for person in people {
            for query in self.queries {
                let mut cell = Cell::new(query, &person.user);
                let mut most: Option<(u64, f64)> = None;
                for (_, id) in &person.ids {
                    if self.is_over(&cells, query) {
                        break;
                    }
                    let heard = self.call(query, id).await?;
                    let took = millis(heard.took);
                    let Some(shown) = cell.take(heard) else { continue };
                    if most.is_none_or(|(best, _)| shown > best) {
                        most = Some((shown, took));
                        id.clone_into(&mut cell.main);
                    }
                }
                cell.asked.timed.extend(most.map(|(_, took)| took));
                cells.push(cell);
            }
        }
        self.again(&mut cells).await?;
        Ok(cells.into_iter().map(Cell::done).collect())
    }

    /// Everybody with the id that stays.
    pub async fn after(self, users: &[String]) -> Result<Vec<Asked>, Ended> {
        let mut cells = self.first(users).await?;
        self.again(&mut cells).await?;
        Ok(cells.into_iter().map(Cell::done).collect())
    }

    /// The same, once.
    pub async fn once(self, users: &[String]) -> Result<Vec<Asked>, Ended> {
        Ok(self.first(users).await?.into_iter().map(Cell::done).collect())
    }

    async fn first(&self, users: &[String]) -> Result<Vec<Cell<'r>>, Ended> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for user in users {
            for query in self.queries {
                let mut cell = Cell::new(query, user);
                if !self.is_over(&cells, query) {
                    let heard = self.call(query, user).await?;
                    let took = millis(heard.took);
                    let timed = cell.take(heard).map(|_| took);
                    cell.asked.timed.extend(timed);
                }
                cells.push(cell);
            }
        }
        Ok(cells)
    }

    /// The further rounds.
    async fn again(&self, cells: &mut [Cell<'_>]) -> Result<(), Ended> {
        for _ in 1..ROUNDS {
            for cell in cells.iter_mut().filter(|cell| cell.visible.is_some()) {
                if Instant::now() >= self.until {
                    return Ok(());
                }
                let heard = self.call(cell.query, &cell.main.clone()).await?;
                match heard.said {
                    Ok(_) => cell.asked.timed.push(millis(heard.took)),
                    Err(why) => cell.silent(why),
                }
            }
        }
        Ok(())
    }

    async fn call(&self, query: &Query, id: &str) -> Result<Heard, Ended> {
        self.run.check()?;
        let Some(application) = &self.run.site.application else { return Err(Ended::Lost) };
        tokio::select! {
            heard = application.ask(query, id) => Ok(heard),
            ended = self.run.ended() => Err(ended),
        }
    }

    /// True when nothing more of a query is asked in its first round.
    fn is_over(&self, cells: &[Cell<'_>], query: &Query) -> bool {
        let of = || cells.iter().filter(|cell| cell.query.name == query.name);
        let silent: u64 = of().map(|cell| cell.asked.silent).sum();
        let is_silent = silent >= GIVE_UP && of().all(|cell| cell.visible.is_none());
        is_silent || Instant::now() >= self.until
    }
}

impl<'q> Cell<'q> {
    fn new(query: &'q Query, user: &str) -> Self {
        let (name, user) = (query.name.clone(), user.to_owned());
        let asked = Asked { query: name, user: user.clone(), timed: Vec::new(), shown: None, silent: 0, why: None };
        Self { query, asked, visible: None, main: user }
    }

    /// Adds what is shown; how much it is.
    fn take(&mut self, heard: Heard) -> Option<u64> {
        match heard.said {
            Ok(visible) => {
                let shown = visible.count();
                self.visible = Some(match self.visible.take() {
                    Some(all) => all.and(visible),
                    None => visible,
                });
                Some(shown)
            }
            Err(why) => {
                self.silent(why);
                None
            }
        }
    }

    fn silent(&mut self, why: String) {
        self.asked.silent += 1;
        self.asked.why.get_or_insert(why);
    }

    fn done(self) -> Asked {
        Asked { shown: self.visible.map(|visible| visible.count()), ..self.asked }
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
