#!/bin/sh
# Makes web/shell/static/hub.css and app.js from what is here and from the pinned packages of
# package-lock.json, into the folder given (default: where they are embedded from), so that
# building the hub needs no Node. Run "npm ci" here first; a test compares what comes out.
set -eu
cd "$(dirname "$0")"
out=${1:-../shell/static}
npx --no-install sass --style=compressed --no-source-map --no-charset --quiet --load-path=. --load-path=node_modules hub.scss >"$out/hub.css"
if grep -q -e '@font-face' -e 'GDS Transport' -e crest -e crown "$out/hub.css"; then
	echo "hub.css has the font, crest or crown of GOV.UK, which is not ours to use" >&2
	exit 1
fi
npx --no-install esbuild app.js --bundle --minify --format=esm --target=es2020 --legal-comments=none --log-level=warning --outfile="$out/app.js"
