#!/bin/bash
# Tests the binding under Node.js and the page in headless Chromium:
#
#   examples/web/test.sh     builds target/web, fetches what drives the browser, runs test.mjs
#
# Needs Node.js from 20 on and Chromium; what is missing is installed from Debian's packages when run as root.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
tools=$target/web-tools

need node nodejs
need npm npm
need chromium chromium
examples/web/build.sh "$target/web"

mkdir -p "$tools"
# Fetched once for each lock file, whose copy here says that it was.
if ! cmp -s examples/web/package-lock.json "$tools/fetched.json"; then
    cp examples/web/package.json examples/web/package-lock.json "$tools/"
    (cd "$tools" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    cp examples/web/package-lock.json "$tools/fetched.json"
fi

export WEB_DIR=$target/web WEB_TOOLS=$tools CHROMIUM
CHROMIUM=$(command -v chromium)
status=0
node --test-reporter=spec examples/web/test.mjs | tee "$target/web-test.log" || status=$?
# Node tells its own tests; here they are told as cargo tells them.
awk '/^ℹ pass / { ok = $3 } /^ℹ fail / { bad = $3 }
     END { printf "test result: %s. %d passed; %d failed; 0 ignored\n", bad ? "FAILED" : "ok", ok, bad
           exit !(ok > 0) }' "$target/web-test.log"
exit $status
