//! One method for each route.

/// Writes methods of [`Client`](crate::Client) from the table of routes. The
/// route's name is checked while compiling.
macro_rules! calls {
    ($($(#[$doc:meta])* $shape:ident $name:ident [$route:literal] ($($path:ident),*) $(send $request:ty)? $(=> $answer:ty)?;)+) => {
        impl crate::Client {
            $(calls!(@ $shape $(#[$doc])* $name, $route, ($($path),*), ($($request)?), ($($answer)?));)+
        }
        /// The routes called here.
        #[cfg(test)]
        pub(super) const CALLED: &[&str] = &[$($route,)+];
    };
    (@ json $(#[$doc:meta])* $name:ident, $route:literal, ($($path:ident),*), (), ($answer:ty)) => {
        $(#[$doc])*
        pub async fn $name(&self, $($path: &str),*) -> crate::Result<$answer> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.json(ROUTE, &[$($path),*], &[], None::<&()>).await
        }
    };
    (@ json $(#[$doc:meta])* $name:ident, $route:literal, ($($path:ident),*), ($request:ty), ($answer:ty)) => {
        $(#[$doc])*
        pub async fn $name(&self, $($path: &str,)* request: &$request) -> crate::Result<$answer> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.json(ROUTE, &[$($path),*], &[], Some(request)).await
        }
    };
    (@ page $(#[$doc:meta])* $name:ident, $route:literal, ($($path:ident),*), (), ($answer:ty)) => {
        $(#[$doc])*
        pub async fn $name(
            &self,
            $($path: &str,)*
            page: &skms_wire::native::page::PageQuery,
        ) -> crate::Result<skms_wire::native::Page<$answer>> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.json(ROUTE, &[$($path),*], &super::page_query(page), None::<&()>).await
        }
    };
    (@ nothing $(#[$doc:meta])* $name:ident, $route:literal, ($($path:ident),*), (), ()) => {
        $(#[$doc])*
        pub async fn $name(&self, $($path: &str),*) -> crate::Result<()> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.nothing(ROUTE, &[$($path),*]).await
        }
    };
    (@ stream $(#[$doc:meta])* $name:ident, $route:literal, (), (), ()) => {
        $(#[$doc])*
        pub async fn $name(&self, each: impl FnMut(&[u8]) -> std::io::Result<()>) -> crate::Result<()> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.stream(ROUTE, each).await
        }
    };
    (@ document $(#[$doc:meta])* $name:ident, $route:literal, (), (), ()) => {
        $(#[$doc])*
        pub async fn $name(&self) -> crate::Result<String> {
            const ROUTE: &skms_wire::native::routes::Route = skms_wire::native::routes::route($route);
            self.document(ROUTE).await
        }
    };
}
// After the macro, which is visible from here on.
mod acme;
mod admin;
mod approvals;
mod certificates;
mod directory;
mod est;
mod exchange;
mod groups;
mod incidents;
mod jobs;
mod keys;
mod notifications;
mod operations;
mod rules;
mod ssh;
mod system;
mod trusts;
mod tsa;
mod weak;

use skms_wire::native::page::PageQuery;

fn page_query(page: &PageQuery) -> Vec<(&'static str, String)> {
    let limit = page.limit.map(|limit| ("limit", limit.to_string()));
    let after = page.after.clone().map(|after| ("after", after));
    limit.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use skms_wire::native::routes::ROUTES;

    #[test]
    fn every_route_has_its_method() {
        let called = [
            super::acme::CALLED,
            super::admin::CALLED,
            super::approvals::CALLED,
            super::certificates::CALLED,
            super::directory::CALLED,
            super::est::CALLED,
            super::exchange::CALLED,
            super::groups::CALLED,
            super::incidents::CALLED,
            super::jobs::CALLED,
            super::keys::CALLED,
            super::notifications::CALLED,
            super::operations::CALLED,
            super::rules::CALLED,
            super::ssh::CALLED,
            super::system::CALLED,
            super::trusts::CALLED,
            super::tsa::CALLED,
            super::weak::CALLED,
        ]
        .concat();
        for route in ROUTES {
            let times = called.iter().filter(|id| **id == route.id).count();
            let by_hand = [
                "key-public",
                "key-due",
                "key-lineage",
                "exchange-bind",
                "event-stream",
            ];
            let by_hand = by_hand.contains(&route.id);
            let by_hand = usize::from(by_hand);
            assert_eq!(times + by_hand, 1, "{}", route.id);
        }
    }
}
