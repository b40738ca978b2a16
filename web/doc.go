// Package web is the hub's pages for people. It puts them together: web/shell is what all of
// them have in common (the frame, the headers, who may see what), and each other package is
// the pages of one subject. All HTML of the hub is here and below; nothing outside writes any.
package web
