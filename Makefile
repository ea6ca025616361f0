# `make` alone says what there is.
.DEFAULT_GOAL := help
# where rustup puts cargo
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

.PHONY: help demo demo-servers test test-upgrades store-differential chaos fuzz fuzz-tail lint bench packages test-packages images test-compose stack-up stack-down

# each target's text is what stands behind the two #
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: cargo ## show the whole chain at work in one process, reading a log as it is written; until Ctrl-C, or for DEMO_SECONDS=N
	@echo "building (some minutes the first time)"
	@cargo build --quiet --profile quick --locked --package omphalos
	@target/quick/omphalos demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

demo-servers: programs ## ship a log, as it is written, through a real RabbitMQ into a real Elasticsearch, and kill processes meanwhile
	@target/release/demo

test: cargo ## run all tests, including those against real servers; installs the servers if they are missing
	@echo "building, then testing (some ten minutes after the first build)"
	@# with --tests, dependencies have the features that tests ask for, and are not built a second time
	@cargo build --quiet --workspace --bins --tests --locked
	@cargo test --workspace --locked

test-upgrades: cargo ## exchange programs of the commit FROM, which are built first, for those of today under load, and count every line; some minutes
	@tests/upgrades.sh $(FROM)

store-differential: cargo ## ask the embedded store and a real Elasticsearch REQUESTS=20000 things drawn from SEED=1, and show where the answers differ; KINDS=query,string,sort,paging,fields,aggregations,write,path
	@cargo build --quiet --workspace --bins --tests --locked
	@target/debug/store-differential --seed $(or $(SEED),1) --requests $(or $(REQUESTS),20000) $(if $(KINDS),--kinds $(KINDS))

chaos: programs ## pull every plug of the whole chain for SECONDS=300 and count every line; SEED=1, SEEDS=1, ONLY=part of a fault's name, DIRECTORY=target/chaos
	@target/release/chaos --seed $(or $(SEED),1) --seeds $(or $(SEEDS),1) --seconds $(or $(SECONDS),300) $(if $(ONLY),--only "$(ONLY)") $(if $(DIRECTORY),--directory "$(DIRECTORY)")

fuzz: cargo ## look for input that breaks something, TIME=60 seconds a target; TARGET=one of fuzz/fuzz_targets
	@tests/stack/install.sh c++
	@fuzz/run.sh $(or $(TIME),60) $(TARGET)

fuzz-tail: cargo ## test the reading of log files with CASES=20000 more random fates of files; some minutes
	@OMPHALOS_TAIL_CASES=$(or $(CASES),20000) cargo test --package omphalos-shipper --lib --locked _model

lint: cargo ## check format, lints, dependencies, scripts and the compose file
	@tests/lint.sh

bench: programs ## run the benchmarks, each side by side with what it is compared with; some minutes; ONLY=udp, files, audit, search, parsers, store, top or page
	@OMPHALOS_ES_HEAP=$${OMPHALOS_ES_HEAP:-2g} target/release/bench $(ONLY)

packages: ## make .deb, .rpm, a tarball and their SBOM in target/packages, of the PROFILE=release; some minutes
	@PROFILE=$(or $(PROFILE),release) packaging/build.sh

test-packages: ## install, upgrade and remove packages of debug programs in a Debian of their own (chroot, as root); some minutes
	@PROFILE=$(or $(PROFILE),dev) packaging/build.sh
	@packaging/test.sh

images: ## build the Docker images, with a Docker engine; REGISTRY=registry.example.com/logs/ PUSH=1 to have them in a registry
	@docker/images.sh

test-compose: cargo ## bring the compose files up for real, in a Docker engine of their own (as root) and without a registry, and count every line; some minutes after the first build
	@tests/compose/test.sh

screenshots: cargo ## take the pictures of the manual (docs/page-*.png) anew, with Chromium and Node
	@cargo build --quiet --profile quick --locked --package omphalos
	@cd web && npm ci --silent --no-audit --no-fund
	@node web/test/screenshots.mjs /usr/bin/chromium target/quick/omphalos docs

stack-up: ## start RabbitMQ and Elasticsearch on 127.0.0.1, to try things out
	@tests/stack/up.sh

stack-down: ## stop these servers; tests/stack/down.sh --purge deletes their data as well
	@tests/stack/down.sh

.PHONY: cargo programs

cargo:
	@tests/stack/install.sh cargo cc

programs: cargo
	@echo "building (some minutes the first time)"
	@cargo build --quiet --release --locked --workspace --bins
