# make run    a hub with sample partners, on http://localhost:8080 (PORT, HUB_DIR; VAULT=1 with a Vault)
# make test   everything that needs no long run
# make help   the rest
#
# Both work from a clean clone: what is missing (PostgreSQL's programs, Node, Chromium, a C compiler,
# the Vault of the tests) is installed, fetched or built into .cache/, and said so.

.DEFAULT_GOAL := help
.PHONY: help build run test vet lint bench million fuzz chaos rotation e2e screenshots clean

GO       ?= go
# What runs in other processes, a browser or the built programs, is tested without the race detector.
APART    ?= ./web/... ./cmd/handover
TEST     ?= $$($(GO) list ./... | grep -v -e /web/ -e /cmd/handover)
FUZZTIME ?= 30s
CHAOS    ?= 10m
ROTATION ?= 60s
# staticcheck's version is fixed in a module file of its own, so that the tools of the
# workshop are no dependencies of the product.
STATICCHECK := $(GO) tool -modfile=deploy/tools.mod staticcheck

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):[^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

build: ## the two programs, into bin/
	@mkdir -p bin
	$(GO) build -buildvcs=false -o bin/ ./cmd/hub ./cmd/handover

run: build ## a hub with a private PostgreSQL, sample partners and one referral; PORT and HUB_DIR set where, VAULT=1 keeps its keys in a Vault
	@dir=$$(deploy/dev/postgres.sh) && HUB_PG_BIN="$$dir" exec $(if $(VAULT),deploy/dev/run.sh,bin/hub run)

test: vet ## vet, staticcheck, every test, most with the race detector; HUB_TEST_VAULT=off leaves out Vault
	@dir=$$(deploy/dev/postgres.sh) && race=$$(deploy/dev/tools.sh) && vault=$$(deploy/dev/vault.sh) && \
	set -x && export HUB_PG_BIN="$$dir" HUB_TEST_VAULT="$$vault" && \
	$(GO) test $$race -shuffle=on -timeout=20m $(TEST) && $(GO) test -shuffle=on -timeout=20m $(APART)

vet:
	$(GO) vet -tags=million ./...
	$(STATICCHECK) -tags=million ./...

lint: vet ## vet, staticcheck, the house's plan, formatting; golangci-lint if it is installed
	$(GO) test -count=1 ./internal/arch
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: left out"; fi

bench: build ## ours against the baseline, on this machine: lines "ratio" and "figure"
	$(GO) build -buildvcs=false -o bin/ ./cmd/bench
	@dir=$$(deploy/dev/postgres.sh) && vault=$$(deploy/dev/vault.sh) && \
	HUB_PG_BIN="$$dir" HUB_TEST_VAULT="$$vault" exec bin/bench

million: ## a log of a million entries: a month of it exported and verified, all of it compared and searched; lines "figure"
	@dir=$$(deploy/dev/postgres.sh) && \
	HUB_PG_BIN="$$dir" HUB_TEST_VAULT=off exec $(GO) test -count=1 -timeout=2h -tags=million -run=TestAMillionEntries -v ./cmd/hub

fuzz: ## every fuzz target for FUZZTIME each
	@deploy/dev/fuzz.sh $(FUZZTIME)

chaos: ## kill -9 of hub, PostgreSQL and Vault under load, and a Vault that is sealed or slow, for CHAOS each
	@dir=$$(deploy/dev/postgres.sh) && vault=$$(deploy/dev/vault.sh) && \
	HUB_PG_BIN="$$dir" HUB_TEST_VAULT="$$vault" CHAOS=$(CHAOS) exec $(GO) test -count=1 -timeout=2h -run=Chaos -v ./cmd/hub

rotation: ## keys of two agencies and the hub replaced every second under load, for ROTATION
	@dir=$$(deploy/dev/postgres.sh) && \
	HUB_PG_BIN="$$dir" ROTATION=$(ROTATION) exec $(GO) test -count=1 -timeout=2h -run=TurnOver -v ./client/profile

e2e: ## every page by axe-core at 320, 390 and 1280 px, at 400 %, in forced colours and by keyboard, with the race detector; make test asks axe-core at 320 px
	@dir=$$(deploy/dev/postgres.sh) && race=$$(deploy/dev/tools.sh) && \
	HUB_PG_BIN="$$dir" HUB_TEST_VAULT=off HUB_THOROUGH=1 exec $(GO) test $$race -count=1 -timeout=30m ./web/...

screenshots: ## a picture of every page at 390 px, into screenshots/
	@dir=$$(deploy/dev/postgres.sh) && deploy/dev/tools.sh >/dev/null && rm -rf screenshots && mkdir screenshots && \
	HUB_PG_BIN="$$dir" HUB_TEST_VAULT=off HUB_SHOTS="$$PWD/screenshots" $(GO) test -count=1 -timeout=30m ./web/... && ls screenshots

clean: ## what was built or fetched; the hub's data under .handover stay
	rm -rf bin .cache screenshots internal/interop/node_modules web/assets/node_modules
