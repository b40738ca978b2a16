// Package web is the hub's pages for people: signing in, their account, and what they let
// systems do in their name.
//
// web.go has the routes, and what stands before each page: the headers, the session, and
// what is answered to a mistake. signin.go, account.go and permission.go are the pages;
// page.go writes them from templates; static.go serves style and script under names that
// change with their content. The script (static/people.js) does only what needs the
// browser's passkeys: everything else works without it.
package web
