//! Lists, a page at a time.

use skms_engine::Page as EnginePage;
use skms_store::RecordId;
use skms_wire::native::{Page, page::PageQuery};

use super::error::Failure;

/// How many items a page is to have.
///
/// # Errors
/// An invalid argument outside 1 to [`PageQuery::LIMIT_MAX`].
pub fn limit(query: &PageQuery) -> Result<usize, Failure> {
    let limit = query.limit.unwrap_or(PageQuery::LIMIT_DEFAULT);
    if !(1..=PageQuery::LIMIT_MAX).contains(&limit) {
        return Err(Failure::invalid(format!(
            "limit is from 1 to {}",
            PageQuery::LIMIT_MAX
        )));
    }
    usize::try_from(limit).map_err(|_| Failure::invalid("limit is too large"))
}

/// A page of records, by their identifiers.
///
/// # Errors
/// An invalid argument for a limit or cursor that is none.
pub fn records(query: &PageQuery) -> Result<EnginePage, Failure> {
    let after = match &query.after {
        None => None,
        Some(text) => Some(text.parse::<RecordId>().map_err(|_| bad_cursor())?),
    };
    Ok(EnginePage::new(limit(query)?, after)?)
}

/// A page's answer.
pub fn page<T>(items: Vec<T>, next: Option<RecordId>) -> Page<T> {
    Page {
        items,
        next: next.map(|id| id.to_string()),
    }
}

/// A page of a list that is whole in memory and sorted by `name`.
///
/// # Errors
/// An invalid argument for a limit that is none.
pub fn sorted<T>(
    all: Vec<T>,
    query: &PageQuery,
    name: impl Fn(&T) -> &str,
) -> Result<Page<T>, Failure> {
    let limit = limit(query)?;
    let mut rest = all.into_iter().filter(|item| {
        query
            .after
            .as_deref()
            .is_none_or(|after| name(item) > after)
    });
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => Some(name(last).to_owned()),
        _ => None,
    };
    Ok(Page { items, next })
}

/// A cursor that did not come from a page before.
pub fn bad_cursor() -> Failure {
    Failure::invalid("after is not the next of a page")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_sorted_list_leave_nothing_out() {
        let all = || ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let query = PageQuery {
                limit: Some(2),
                after,
            };
            let page = sorted(all(), &query, String::as_str).unwrap();
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all());
        let exact = PageQuery {
            limit: Some(5),
            after: None,
        };
        assert!(
            sorted(all(), &exact, String::as_str)
                .unwrap()
                .next
                .is_none()
        );
        for limit in [0, 1001] {
            let query = PageQuery {
                limit: Some(limit),
                after: None,
            };
            assert!(sorted(all(), &query, String::as_str).is_err());
        }
    }
}
