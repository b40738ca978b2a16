// Package assets holds what web/shell/static/hub.css and app.js are made of, and the script that
// makes them. Nothing imports it: what is made is committed, so that the hub is built without Node.
package assets
