# make only calls tools; what they do is in the files they name.

PREFIX ?= /usr/local
DESTDIR ?=
GO ?= go

# Where the programs go.
BIN ?= bin

# The version that programs print. A tarball knows its own, a checkout asks git; a packager may say another.
VERSION ?= $(shell packaging/version)
VCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)

# More for the linker, for packagers.
LDFLAGS ?= -s -w
FLAGS = -buildvcs=$(VCS) -trimpath -ldflags '$(LDFLAGS) $(if $(VERSION),-X github.com/holdfast/holdfast/internal/program.version=$(VERSION))'

# The tray is the one program that needs C: gcc and the headers of GTK and AppIndicator.
TRAY := $(shell pkg-config --exists ayatana-appindicator3-0.1 gtk+-3.0 2>/dev/null && command -v gcc >/dev/null && echo tray)

.PHONY: all run test check build tray test-desktops install uninstall packages test-packages release-check bench compare soak hostile fuzz screenshots clean

all: build

run: build
	testbed/run-demo

test:
	testbed/install
	testbed/test

check:
	testbed/check

# Beside ssh, autossh, socat and TCP itself, in the same run, as ratios, into docs/bench; as root, in
# about 20 minutes. BEFORE=PROGRAM compares with a worker of an older commit, WITH='name=command
# {local} {target} …' with another program; BENCH='-run TestPage' measures a part, ROUNDS= (3) how often.
ROUNDS ?= 3
bench:
	testbed/install
	mkdir -p docs/bench
	$(GO) test -tags bench -count=1 -v -timeout 90m $(or $(BENCH),-skip 'TestBlackHole|TestSystemCalls') ./testbed/bench \
		-docs '$(CURDIR)/docs/bench' -rounds $(ROUNDS) -before '$(BEFORE)' -with '$(WITH)'

# What faults do to tunnels, beside autossh and a restarted ssh.
compare:
	testbed/install
	testbed/run-tests -v -run '^TestCompare$$' -timeout 60m ./testbed/faults

# Random faults under writers that number their bytes; SEED= repeats one.
SOAK ?= 30m
soak: build
	testbed/install
	HOLDFAST_SOAK=$(SOAK) HOLDFAST_SEED=$(SEED) $(GO) test -count=1 -v -run '^TestSoak$$' -timeout 0 ./testbed/faults

# Every attack of a malicious server, on both transports: what crashed, was lost, was let in.
hostile: build
	testbed/install
	HOLDFAST_HOSTILE='$(CURDIR)/bin/hostile.txt' $(GO) test -count=1 -run '^TestHostile$$' -timeout 20m ./testbed/hostile; \
		status=$$?; cat bin/hostile.txt; exit $$status

# Every fuzz target, FUZZTIME= (1m) each. What one finds stays in testdata/fuzz of its package: a test from then on.
FUZZTIME ?= 1m
fuzz:
	FUZZTIME='$(FUZZTIME)' testbed/fuzz

screenshots: tray
	testbed/install testbed/packages-screenshots
	$(GO) test -tags screenshots -count=1 -run TestScreenshots ./cmd/holdfast-tray
	testbed/install testbed/packages-desktops
	mkdir -p -m 777 bin/desktops
	HOLDFAST_DESKTOPS=1 testbed/run-tests -run '^TestPicturesOfDesktops$$' ./cmd/holdfast-tray
	cp bin/desktops/tray-gnome.png bin/desktops/tray-plasma.png docs/images/
	HOLDFAST_PICTURES='$(CURDIR)/docs/images' testbed/run-tests -run '^TestPictures$$' ./testbed/recipes

# The tray on real desktops, in the box: GNOME, Plasma, sway with waybar. Pictures land in bin/desktops.
test-desktops:
	testbed/install testbed/packages-screenshots
	testbed/install testbed/packages-desktops
	mkdir -p -m 777 bin/desktops
	HOLDFAST_DESKTOPS=1 testbed/run-tests -v -run '^TestDesktop' ./cmd/holdfast-tray

build: $(TRAY)
	CGO_ENABLED=0 $(GO) build $(FLAGS) -o $(BIN)/ ./cmd/holdfast ./cmd/holdfastd ./cmd/holdfast-tunnel

tray:
	CGO_ENABLED=1 CGO_CFLAGS='-O2 -D_FORTIFY_SOURCE=2' CGO_LDFLAGS='-Wl,-z,relro,-z,now' GOWORK='$(CURDIR)/tray/indicator/tray.work' $(GO) build $(FLAGS) -buildmode=pie -o $(BIN)/ ./cmd/holdfast-tray

# Installs what make has built: nothing is compiled as root.
install:
	packaging/install '$(PREFIX)' '$(DESTDIR)'

uninstall:
	packaging/uninstall '$(PREFIX)' '$(DESTDIR)'

# deb, rpm and Arch, for amd64 and arm64, in dist/; the same bytes from the same commit.
packages:
	packaging/build dist

# Packages, images and manifests, installed and run as people do; 10 minutes.
test-packages: build
	testbed/install testbed/packages
	testbed/install testbed/packages-packages
	$(GO) test -tags packages -count=1 -v -timeout 20m ./testbed/release

# Everything of a release but the upload.
release-check:
	packaging/release

clean:
	rm -rf bin dist
