# The menu of this repository: `make help`. CI runs these targets and nothing else.

GO ?= go
# The linter is pinned: a new release must not break yesterday's commit.
GOLANGCI_LINT_VERSION := v2.15.0
TOOLS := $(CURDIR)/.tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# The race detector needs cgo and a C compiler.
CC_FOUND := $(shell command -v $${CC:-cc} 2>/dev/null || command -v gcc 2>/dev/null)
RACE := $(if $(CC_FOUND),-race)
TEST_FLAGS ?=
PKG ?= ./...
# How long a run of `make fuzz` lasts per target, and of `make chaos` in all.
FUZZ_TIME ?= 30s
CHAOS_TIME ?= 10m
# A seed plays an earlier chaos run again; parts narrow a bench run. Empty: a new one, all.
CHAOS_SEED ?=
BENCH ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: build ## build and run everything in one process, with an embedded broker and examples
	@exec ./bin/kurier dev

.PHONY: build
build: ## build ./bin/kurier, one static binary
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/kurier ./cmd/kurier

.PHONY: test
test: ## run all tests, with the race detector, on the embedded broker and on a real Kafka
ifndef RACE
	@echo "make test: no C compiler on PATH (cc or gcc), so the tests run WITHOUT the race detector"
endif
	@command -v java >/dev/null || echo "make test: no java on PATH, so the tests on a real Kafka are skipped (install Java 17 and Maven)"
	@command -v python3 >/dev/null && command -v npm >/dev/null || echo "make test: no python3 or no npm on PATH, so the tests with the SDKs of that language are skipped"
	$(GO) test $(RACE) -timeout 20m $(TEST_FLAGS) $(PKG)

.PHONY: test-short
test-short: ## run the tests that need neither a real Kafka nor the built binary
	$(GO) test -short $(TEST_FLAGS) $(PKG)

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## vet, format check and linters, each with its reason in .golangci.yaml
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w): $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$< run ./...

$(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	@echo "installing golangci-lint $(GOLANGCI_LINT_VERSION) into .tools (once)"
	@GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(TOOLS)/golangci-lint $@

.PHONY: bench
bench: ## measure throughput, latency and memory, about ten minutes (BENCH="receive ordered" for parts)
	$(GO) run ./test/bench $(BENCH)

.PHONY: chaos
chaos: ## break processes, brokers and connections and check that nothing is lost (CHAOS_TIME=10m, CHAOS_SEED=n)
	KURIER_CHAOS_TIME=$(CHAOS_TIME) KURIER_CHAOS_SEED=$(CHAOS_SEED) $(GO) test -count=1 -timeout 120m -v -run '^TestChaos' ./test/chaos

.PHONY: fuzz
fuzz: ## fuzz each fuzz target for FUZZ_TIME (30s); `make test` plays seeds and some random inputs
# By default making one interesting input smaller may take a minute: more than a target has.
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 50x $$pkg; \
	  done; done

.PHONY: clean
clean: ## remove what was built and installed here; data stays
	rm -rf bin .tools

.PHONY: clean-data
clean-data: ## forget all events and edited examples of `make dev`
	rm -rf "$${DATA_DIR:-.kurier}"
