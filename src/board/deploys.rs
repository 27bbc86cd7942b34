//! The deploys of the last day, as the feed and the snapshot tell them.

use stella_protocol::{Deploy, Timestamp};

/// Most deploys that are kept; a server that sends more is not followed into its memory.
const MOST: usize = 1_000;

/// Who got a new revision, and when.
#[derive(Debug, Default)]
pub struct Deploys {
    newest_first: Vec<Deploy>,
    revision: u64,
}

impl Deploys {
    /// All of them, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Deploy> {
        self.newest_first.iter()
    }

    /// Rises with every deploy that is told.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Those of a span that holds `from` and excludes `to`, newest first.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Deploy> {
        self.iter().filter(move |deploy| (from..to).contains(&deploy.at))
    }

    /// Takes a deploy; the same one again changes nothing. Going back to an older revision is another one.
    pub(super) fn put(&mut self, deploy: Deploy) {
        let is_it = |known: &Deploy| {
            known.service == deploy.service && known.revision == deploy.revision && known.at == deploy.at
        };
        self.newest_first.retain(|known| !is_it(known));
        let at = self.newest_first.partition_point(|known| known.at > deploy.at);
        self.newest_first.insert(at, deploy);
        self.newest_first.truncate(MOST);
        self.revision += 1;
    }

    /// Takes the whole state: what is not in it is gone.
    pub(super) fn replace(&mut self, deploys: Vec<Deploy>) {
        self.newest_first.clear();
        self.revision += 1;
        for deploy in deploys {
            self.put(deploy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stella_protocol::DeploySource;

    fn deploy(revision: &str, at: i64) -> Deploy {
        Deploy {
            service: "api".into(),
            revision: revision.to_owned().into(),
            at: Timestamp::from_millis(at),
            by: None,
            source: DeploySource::Told,
        }
    }

    #[test]
    fn a_deploy_told_twice_is_one_and_the_newest_stands_first() {
        let mut deploys = Deploys::default();
        deploys.replace(vec![deploy("r1", 10), deploy("r2", 30), deploy("r3", 20)]);
        deploys.put(deploy("r1", 10));
        deploys.put(deploy("r1", 40));
        let order: Vec<&str> = deploys.iter().map(|deploy| deploy.revision.raw()).collect();
        assert_eq!(order, ["r1", "r2", "r3", "r1"], "going back to an older one is a deploy too");
        let some = deploys.between(Timestamp::from_millis(10), Timestamp::from_millis(20));
        assert_eq!(some.map(|deploy| deploy.revision.raw()).collect::<Vec<_>>(), ["r1"], "the end is excluded");
    }
}
