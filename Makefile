# waba: build, test, install. GNU make; every path is relative, so the checkout may be in any folder.
#
#   make                     build the C modules for every Lua found, into build/<lua>/waba/ (V=1: show commands)
#   make demo                install missing packages, build, send and receive with the emulator
#   make test                install missing packages, lint, build with -Werror, run the specs
#   make test SPEC=file      run one spec file (or several) under both interpreters (LUAS="lua5.3 lua5.4" for others);
#                            REDIS_SERVER=valkey-server: with Valkey instead of Redis
#   make test-matrix         both in fresh Debian 12, 13 and sid, as root (RELEASES=trixie; see scripts/test-matrix)
#   make bench               measure sending against bare libcurl (BENCH=bench/….lua for another benchmark)
#   make install             PREFIX, DESTDIR, LUA_VERSION=5.4 or LUA=luajit, PACKAGES=waba; and: make uninstall
#   make install-openresty   into OPENRESTY=/usr/local/openresty; and: make uninstall-openresty
#   make sanitize            a soak and the specs of the C code under sanitizers and valgrind (SANITIZE=clang …)
#   make fuzz                search inputs that violate the properties of the parsers (TARGET, SECONDS_EACH=60), with clang
#   make mutate              share of small changes of the code that the specs detect (FOLDER, COUNT, SEED, NEAREST)
#   make proofs              the crash specs of outbox and inbox at length (MESSAGES=100000 KILLS=100); half an hour and more
#   make lint, check-c, clean
#
# Programs run from the checkout after:  eval "$(make -s env)"   (LUA=luajit make -s env for LuaJIT)

# Packages of Debian; on other systems: make SKIP_PACKAGES=1 … -------------------------------------

DEMO_PACKAGES = ca-certificates gcc libc6-dev pkg-config lua5.4 liblua5.4-dev libcurl4-openssl-dev \
  lua-cjson lua-cqueues lua-luaossl lua-argparse lua-dbi-sqlite3

TEST_PACKAGES = $(DEMO_PACKAGES) "luajit2|luajit" "libluajit2-5.1-dev|libluajit-5.1-dev" lua-busted lua-check luarocks \
  lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev lua5.3 liblua5.3-dev "lua5.5|" "liblua5.5-dev|" \
  lua-copas lua-http lua-luv lua-socket lua-sec redis-server \
  nginx libnginx-mod-http-lua "prometheus|" openssl procps locales valgrind

SANITIZE_PACKAGES = $(TEST_PACKAGES) clang libclang-rt-dev

# Sources ------------------------------------------------------------------------------------------

VERSION := $(shell sed -n 's/^return "\(.*\)"/\1/p' lua/waba/version.lua)

# core.so links no library and can be loaded everywhere; only curl.so links libcurl.
CORE_ALONE = $(addprefix src/, core.c credentials_class.c file.c json.c json_flood.c json_pick.c json_read.c json_text.c \
  json_value.c json_write.c request_head.c sha256.c terminal.c yield.c)
CORE_SOURCES = $(CORE_ALONE) $(addprefix src/, buffer.c credentials.c origin.c response_head.c system.c text.c)
CURL_SOURCES = $(filter-out $(CORE_ALONE),$(wildcard src/*.c))

# The packages, and the folder of each one's modules.
PACKAGES ?= waba waba-cli waba-emulator
FOLDER_OF_waba = lua
FOLDER_OF_waba-cli = cli
FOLDER_OF_waba-emulator = emulator
FOLDERS = $(foreach package,$(PACKAGES),$(or $(FOLDER_OF_$(package)),$(error PACKAGES: "$(package)" is not a package: \
  expected waba, waba-cli or waba-emulator)))
# Lua files, and the files that the page of the emulator serves.
LUA_FILES = $(sort $(shell find $(addsuffix /waba,$(FOLDERS)) -type f '(' -name '*.lua' -o -path '*/page/*' ')'))
without_folder = $(patsubst lua/%,%,$(patsubst cli/%,%,$(patsubst emulator/%,%,$(1))))
# Types for editors, which are installed beside the modules of the library.
ANNOTATIONS = $(if $(filter waba,$(PACKAGES)),$(sort $(wildcard annotations/*.lua)))

BENCH = bench/send.lua
BENCH_BUILD = build/bench
BENCHES = $(patsubst bench/%.c,$(BENCH_BUILD)/%,$(wildcard bench/*.c))

# The Lua: lua5.1, lua5.2, lua5.3, lua5.4, lua5.5 or luajit ----------------------------------------

LUA_VERSION ?= 5.4
LUA ?= lua$(LUA_VERSION)
LUA_API = $(if $(filter luajit,$(LUA)),5.1,$(patsubst lua%,%,$(LUA)))

# The names of a Lua: lua5.4 (Debian), lua-5.4 (Fedora, FreeBSD), lua54 (Arch).
names = $(1) $(subst lua5,lua-5,$(1)) $(subst .,,$(1))
pkg_config_name = $(firstword $(foreach name,$(call names,$(1)),\
  $(shell pkg-config --exists $(name) 2>/dev/null && echo $(name))))
LUAS_FOUND = $(strip $(foreach lua,lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit,\
  $(if $(call pkg_config_name,$(lua)),$(lua))))
INTERPRETER = $(firstword $(foreach name,$(call names,$(LUA)),$(shell command -v $(name) 2>/dev/null)) $(LUA))

# Flags. The user sets CC, CPPFLAGS, CFLAGS and LDFLAGS --------------------------------------------

CFLAGS ?= -O2 -g
LUA_CFLAGS ?= $(shell pkg-config --cflags $(call pkg_config_name,$(LUA)) 2>/dev/null)
CURL_CFLAGS ?= $(shell pkg-config --cflags libcurl 2>/dev/null)
CURL_LIBS ?= $(or $(shell pkg-config --libs libcurl 2>/dev/null),-lcurl)

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wwrite-strings -Wpointer-arith -Wvla -Wundef

# Protections against the exploitation of memory errors. `make HARDEN=` builds without them.
HARDEN = -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2

# C99, and functions of the system such as sockets, clocks and epoll.
STANDARD = -std=c99 -D_DEFAULT_SOURCE
COMPILE := $(CC) $(STANDARD) $(WARNINGS) -fPIC -fvisibility=hidden -DWABA_VERSION=\"$(VERSION)\" \
  $(LUA_CFLAGS) $(CURL_CFLAGS) $(CPPFLAGS) $(HARDEN) $(CFLAGS)

# -z nodelete keeps libcurl mapped when a Lua state closes: unloading it may crash. -z relro -z now: the tables of
# functions of other libraries are resolved when the module is loaded, and are read-only afterwards.
ifeq ($(shell uname -s),Darwin)
SHARED = -bundle -undefined dynamic_lookup
else
SHARED = -shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now
endif
LINK = $(CC) $(SHARED) $(CFLAGS) $(LDFLAGS)

# Build --------------------------------------------------------------------------------------------

BUILD = build/$(LUA)
CURL_FOUND := $(shell printf '\043include <curl/curl.h>\n\043if LIBCURL_VERSION_NUM < 0x075500\n\043error\n\043endif\n' | \
  $(COMPILE) -E -x c - >/dev/null 2>&1 && echo yes)
MODULES = $(BUILD)/waba/core.so $(if $(filter yes,$(CURL_FOUND)),$(BUILD)/waba/curl.so)
Q = $(if $(V),,@)
objects = $(patsubst src/%.c,$(BUILD)/objects/%.o,$(1))

all:
	@for lua in $(or $(LUAS_FOUND),$(LUA)); do $(MAKE) --no-print-directory LUA=$$lua modules || exit 1; done

modules: $(MODULES) $(if $(CURL_FOUND),,without-curl)

# Without libcurl the library can send inside nginx only.
without-curl: $(BUILD)/waba/core.so
	@echo "$$CURL_MISSING" >&2

define CURL_MISSING
Built without libcurl, whose headers (7.85 or newer) were not found: $(LUA) can send inside nginx only. For all else:
  Debian, Ubuntu: apt-get install libcurl4-openssl-dev
  Fedora:         dnf install libcurl-devel
  Alpine:         apk add curl-dev
  Arch, FreeBSD, macOS: the package curl
endef
export CURL_MISSING

$(BUILD)/waba/core.so: $(call objects,$(CORE_SOURCES))
	@mkdir -p $(@D)
	@echo "  link    $@"
	$(Q)$(LINK) -o $@ $^

$(BUILD)/waba/curl.so: $(call objects,$(CURL_SOURCES))
	@mkdir -p $(@D)
	@echo "  link    $@"
	$(Q)$(LINK) -o $@ $^ $(CURL_LIBS)

# Objects are rebuilt when a header or the version changes, but not when flags change: run make clean then.
$(BUILD)/objects/%.o: src/%.c lua/waba/version.lua | $(BUILD)/objects
	@echo "  compile $< ($(LUA))"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

-include $(wildcard $(BUILD)/objects/*.d)

# Checks before the first object that the compiler and the headers are installed.
$(BUILD)/objects:
	@printf '$(PROBE)' | $(COMPILE) -E -x c - >/dev/null 2>&1 || { echo "$$TOOLS_MISSING" >&2; exit 1; }
	@mkdir -p $@

PROBE = \043include <lua.h>\n

define TOOLS_MISSING
waba requires a C compiler, pkg-config, and the headers of Lua ($(LUA)) and of libcurl, 7.85 or newer.
  Debian, Ubuntu: apt-get install gcc libc6-dev pkg-config $(LUA_DEV) libcurl4-openssl-dev
  Fedora:         dnf install gcc pkgconf lua-devel libcurl-devel
  Arch:           pacman -S gcc pkgconf lua$(subst .,,$(LUA_API)) curl
  Alpine:         apk add gcc musl-dev pkgconf $(LUA)-dev curl-dev
  FreeBSD:        pkg install pkgconf lua$(subst .,,$(LUA_API)) curl
  macOS:          brew install pkgconf lua curl
endef
export TOOLS_MISSING

LUA_DEV = $(if $(filter luajit,$(LUA)),libluajit2-5.1-dev (Debian 13: libluajit-5.1-dev),lib$(LUA)-dev)

# Run from the checkout ----------------------------------------------------------------------------

# Debian packages some pure Lua libraries for older versions of Lua only; they also run under 5.4.
OLDER = /usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua
RUN = paths=$$($(MAKE) -s --no-print-directory env) && eval "$$paths" && exec

in_path = $$root/$(1)/?.lua;$$root/$(1)/?/init.lua;

env:
	@$(MAKE) --no-print-directory modules command >&2
	@root=$$(pwd | sed "s/'/'\\\\''/g") && printf "export %s='%s'%s\n" \
	  LUA_PATH "$(call in_path,lua)$(call in_path,cli)$(call in_path,emulator);$(if $(filter 5.1,$(LUA_API)),,$(OLDER))" "" \
	  LUA_CPATH "$$root/$(BUILD)/?.so;;" "" \
	  PATH "$$root/$(BUILD)/bin" ':"$$PATH"'

# The command `waba` for one Lua.
INTERPRETER_LINE = $(or $(shell command -v $(INTERPRETER)),/usr/bin/env $(INTERPRETER))

command:
	@mkdir -p $(BUILD)/bin
	@sed '1s|.*|#!$(INTERPRETER_LINE)|' cli/bin/waba > $(BUILD)/bin/waba.$$$$ && chmod 755 $(BUILD)/bin/waba.$$$$ && \
	  mv -f $(BUILD)/bin/waba.$$$$ $(BUILD)/bin/waba

demo:
	@scripts/install-packages $(DEMO_PACKAGES)
	@$(RUN) $(INTERPRETER) examples/demo.lua

bench:
	@scripts/install-packages $(TEST_PACKAGES) strace lua-redis
	@$(MAKE) --no-print-directory bench-programs
	@$(RUN) $(INTERPRETER) $(BENCH)

# Clients of other languages, for bench/send.lua --peers. lua-redis is for bench/redis.lua.
bench-packages:
	@scripts/install-packages nodejs node-undici python3-requests python3-httpx python3-h2 python3-aiohttp \
	  lua-redis

bench-programs: $(BENCHES) $(BENCH_BUILD)/$(LUA)/floor.so

# The smallest binding of libcurl to Lua, with which sending is compared.
$(BENCH_BUILD)/$(LUA)/floor.so: bench/floor/floor.c $(wildcard bench/*.h)
	@mkdir -p $(@D)
	@echo "  build   $@"
	$(Q)$(COMPILE) $(SHARED) $(LDFLAGS) -o $@ $< $(CURL_LIBS)

$(BENCH_BUILD)/%: bench/%.c $(wildcard bench/*.h)
	@mkdir -p $(@D)
	@echo "  build   $@"
	$(Q)$(CC) $(STANDARD) $(WARNINGS) $(CURL_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(CURL_LIBS)

# Test ---------------------------------------------------------------------------------------------

test: test-packages
	@LUAS="$(LUAS)" scripts/test $(SPEC)

test-packages:
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-browser

# Runs both commands on fresh Debian 12, 13 and sid (scripts/test-matrix).
test-matrix:
	@scripts/test-matrix

lint:
	luacheck --quiet --no-color .
	@$(INTERPRETER) scripts/style.lua

sanitize:
	@scripts/install-packages $(SANITIZE_PACKAGES)
	@SANITIZE="$(SANITIZE)" scripts/sanitize

# Kills senders of messages over connections that are cut, and receivers and workers during webhooks.
MESSAGES = 100000
KILLS = 100
proofs: test-packages
	@OUTBOX_MESSAGES=$(MESSAGES) OUTBOX_KILLS=$(KILLS) OUTBOX_CUT=$$(($(MESSAGES) / 20)) INBOX_KILLS=$(KILLS) \
	  SPEC_SECONDS=14400 LUAS="$(LUA)" \
	  scripts/test spec/outbox/crash_spec.lua spec/inbox_crash_spec.lua

fuzz:
	@scripts/install-packages $(SANITIZE_PACKAGES)
	@TARGET="$(TARGET)" SECONDS_EACH="$(SECONDS_EACH)" scripts/fuzz

# FOLDER: the code to change; COUNT: the number of changes; SEED: selects them; NEAREST: the number of specs to run.
FOLDER = lua/waba
COUNT = 40
SEED = 1
mutate:
	@scripts/install-packages $(TEST_PACKAGES)
	@lua5.4 scripts/mutate.lua "$(FOLDER)" "$(COUNT)" "$(SEED)" $(NEAREST)

# Every C file, for every Lua found, with warnings as errors. CC=clang make check-c for another compiler.
check-c:
	@for lua in $(LUAS_FOUND); do \
	  $(MAKE) --no-print-directory LUA=$$lua BUILD=build/check/$(notdir $(CC))/$$lua CPPFLAGS="$(CPPFLAGS) -Werror" modules || exit 1; \
	done
	@$(MAKE) --no-print-directory BENCH_BUILD=build/check/$(notdir $(CC))/bench CPPFLAGS="$(CPPFLAGS) -Werror" bench-programs

# Install ------------------------------------------------------------------------------------------

PREFIX ?= /usr/local
LUADIR ?= $(PREFIX)/share/lua/$(LUA_API)
LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_API)
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man

# The files that a shell loads at the first completion of `waba`.
COMPLETIONS = bash-completion/completions/waba zsh/site-functions/_waba fish/vendor_completions.d/waba.fish

# `luarocks make` also runs this target, for one package (see rockspec/), so both ways install the same files.
WITH_LIBRARY = $(filter waba,$(PACKAGES))
WITH_COMMAND = $(filter waba-cli,$(PACKAGES))

install: $(if $(WITH_LIBRARY),modules) $(if $(WITH_COMMAND),command)
	@place() { \
	  mkdir -p "$$(dirname "$(DESTDIR)$$3")" && install -m $$1 "$$2" "$(DESTDIR)$$3" && echo "  install $(DESTDIR)$$3"; \
	} && \
	for file in $(LUA_FILES); do place 644 $$file "$(LUADIR)/$${file#*/}" || exit 1; done && \
	for file in $(ANNOTATIONS); do place 644 $$file "$(LUADIR)/waba/$$file" || exit 1; done \
	$(if $(WITH_LIBRARY),&& for file in $(notdir $(MODULES)); do \
	  place 755 $(BUILD)/waba/$$file "$(LIBDIR)/waba/$$file" || exit 1; \
	done) \
	$(if $(WITH_COMMAND),&& place 755 $(BUILD)/bin/waba "$(BINDIR)/waba" && \
	place 644 docs/waba.1 "$(MANDIR)/man1/waba.1" && \
	for file in $(COMPLETIONS); do place 644 docs/completion/$${file##*/} "$(DATADIR)/$$file" || exit 1; done)

uninstall:
	rm -f $(foreach file,$(LUA_FILES),"$(DESTDIR)$(LUADIR)/$(call without_folder,$(file))") \
	  $(ANNOTATIONS:%="$(DESTDIR)$(LUADIR)/waba/%") \
	  $(if $(WITH_LIBRARY),"$(DESTDIR)$(LIBDIR)/waba/core.so" "$(DESTDIR)$(LIBDIR)/waba/curl.so") \
	  $(if $(WITH_COMMAND),"$(DESTDIR)$(BINDIR)/waba" "$(DESTDIR)$(MANDIR)/man1/waba.1" $(COMPLETIONS:%="$(DESTDIR)$(DATADIR)/%"))
	@find "$(DESTDIR)$(LUADIR)/waba" "$(DESTDIR)$(LIBDIR)/waba" -type d -empty -delete 2>/dev/null || true

# OpenResty's LuaJIT loads modules from site/lualib. Its nginx sends through its own sockets: libcurl is not required, and would
# load another OpenSSL into its processes. The command runs in `resty`.
OPENRESTY ?= /usr/local/openresty
OPENRESTY_HEADERS = $(firstword $(wildcard $(OPENRESTY)/luajit/include/luajit-2.*))
IN_OPENRESTY = LUA=luajit BUILD=build/openresty LUA_CFLAGS=-I$(OPENRESTY_HEADERS) CURL_FOUND=no LUADIR=$(OPENRESTY)/site/lualib \
  LIBDIR=$(OPENRESTY)/site/lualib BINDIR=$(OPENRESTY)/site/bin DATADIR=$(OPENRESTY)/site/share

install-openresty:
	@[ -n "$(OPENRESTY_HEADERS)" ] || { \
	  echo "OPENRESTY=$(OPENRESTY) has no luajit/include/luajit-2.1: expected the folder of an OpenResty, such as /usr/local/openresty" >&2; \
	  exit 1; \
	}
	@$(MAKE) --no-print-directory $(IN_OPENRESTY) install
	@install -m 755 cli/bin/waba-openresty "$(DESTDIR)$(OPENRESTY)/bin/waba" && echo "  install $(DESTDIR)$(OPENRESTY)/bin/waba"

uninstall-openresty:
	@$(MAKE) --no-print-directory $(IN_OPENRESTY) uninstall
	rm -f "$(DESTDIR)$(OPENRESTY)/bin/waba"

clean:
	rm -rf build

.PHONY: all modules without-curl command env demo bench bench-packages bench-programs test test-packages test-matrix lint \
  check-c sanitize proofs fuzz mutate install uninstall install-openresty uninstall-openresty clean
