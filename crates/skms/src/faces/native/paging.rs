//! Lists a page at a time, and query strings.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use skms_engine::Page as EnginePage;
use skms_store::RecordId;
use skms_wire::native::{Page, page::PageQuery};

use super::{call::without_values, error::Failure};

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

/// The members of a query string, as the message `T`: numbers where the text
/// is one and `T` takes one, text otherwise.
///
/// # Errors
/// A malformed request for unknown or repeated members, and for values that
/// do not fit.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    let mut as_numbers = Map::new();
    let mut as_texts = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        let number = value.parse::<u64>().ok().map(Value::from);
        as_numbers.insert(
            name.clone(),
            number.unwrap_or_else(|| Value::from(value.clone())),
        );
        if as_texts.insert(name, Value::from(value)).is_some() {
            return Err(Failure::malformed("a member of the query is given twice"));
        }
    }
    // A cursor can consist of digits and is still a text.
    for name in ["after"] {
        if let Some(text) = as_texts.get(name) {
            as_numbers.insert(name.to_owned(), text.clone());
        }
    }
    serde_json::from_value(Value::Object(as_numbers)).map_err(|error| {
        Failure::malformed(format!("query: {}", without_values(&error.to_string())))
    })
}

/// Percent-decoding, with `+` for a space.
fn decode(text: &str) -> Result<String, Failure> {
    let bad = || Failure::malformed("the query is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(bad());
                };
                bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_strictly() {
        let ok: PageQuery = query("limit=5&after=%61%2Fb+c").unwrap();
        assert_eq!((ok.limit, ok.after.as_deref()), (Some(5), Some("a/b c")));
        let digits: PageQuery = query("after=12").unwrap();
        assert_eq!(digits.after.as_deref(), Some("12"));
        for bad in [
            "limit=x",
            "limit=-1",
            "limt=5",
            "limit=1&limit=2",
            "after=%zz",
            "after=%f",
        ] {
            assert!(query::<PageQuery>(bad).is_err(), "{bad}");
        }
    }

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
