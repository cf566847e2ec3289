# Every command of the project. CI runs these and nothing else.
STACK ?= dev
PORT ?=
BASE ?=

.PHONY: help up preview destroy down clean plan reference scorecard test test-fast test-apps test-live lint lint-workflows fmt linters

help: ## what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

up: ## deploy Pulumi.$(STACK).yaml to this machine: installs, builds and starts what is missing (PORT=…)
	@bin/local up --stack $(STACK) $(if $(PORT),--port $(PORT))

preview: ## what an up would change
	@bin/local preview --stack $(STACK)

destroy: ## remove the stack
	@bin/local destroy --stack $(STACK)

down: ## stop the local node; its data stays
	@bin/local down

clean: ## stop the local node and remove .local
	@bin/local clean

plan: ## write what each stack registers to tests/plan; what changed since a commit (BASE=origin/main)
	@go run ./cmd/plan $(if $(BASE),-base $(BASE))

reference: ## write the reference of the stack config and its JSON schema to docs
	@go run ./cmd/reference

scorecard: ## which Security Hub controls dev and prod pass
	@go run ./cmd/scorecard

test: test-fast test-apps test-live ## all of the tests: fast, apps, live

test-fast: lint-workflows ## the program over a recorder, nginx's configuration by nginx, the local node's parts
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then bin/local install; fi
	go vet ./...
	go test ./...
	cd local && go vet ./... && go test ./...

test-apps: ## the sample applications' own tests
	apps/backend/test
	apps/frontend/test

test-live: ## the whole system on this machine, as its users see it
	go test -tags e2e -count=1 -parallel 3 -timeout 60m -v ./tests/e2e

lint: linters lint-workflows ## golangci-lint, actionlint, shellcheck
	.local/bin/golangci-lint run ./...
	cd local && ../.local/bin/golangci-lint run --config ../.golangci.yml ./...
	@command -v shellcheck >/dev/null || apt-get install -y --no-install-recommends shellcheck >/dev/null
	git ls-files -z | xargs -0 grep -lE '^#!/(bin/sh|usr/bin/env (ba)?sh)' | xargs shellcheck

fmt: linters ## format the Go code
	.local/bin/golangci-lint fmt ./...
	cd local && ../.local/bin/golangci-lint fmt --config ../.golangci.yml ./...

# The versions are those of local/tools/lint/go.mod; what is built already is built in a second.
linters:
	@mkdir -p .local/bin
	@go build -C local/tools/lint -o $(CURDIR)/.local/bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint-workflows:
	@mkdir -p .local/bin
	@go build -C local/tools/lint -o $(CURDIR)/.local/bin/ github.com/rhysd/actionlint/cmd/actionlint
	.local/bin/actionlint
