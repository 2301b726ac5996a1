# im: build, run, test.  `make help` lists the targets.
#
#   NGX_SRC=DIR   the sources of another nginx than Debian's: it is built too, all
#                 in build/with/NAME of that folder's name, and run and tested
#   STATIC=1      with NGX_SRC: the module is a part of that nginx
#   SAN=1         with AddressSanitizer and UBSan, in a build folder of its own
#   V=1           shows the commands
#   STEPS="units server"   of make test: these only; t/run has their names
#   TIME=60 LIVE=600 TARGETS="ws json"   of make fuzz: seconds for each decoder,
#                 for the running service, and which decoders (default: all)
#   PORT=8080 WORKERS=2 ADDRESS=127.0.0.1   of make run
#   REDIS=sentinel   of make run, or cluster: several servers of Redis
#   QUICK=1 ROUNDS=5 ROWS="latency storm"   of make bench: small numbers to see
#                 that all of it works; how often; these rows only
#   CLIENTS=1000000   of make bench-million
#   PREFIX=/usr DESTDIR= PARTS="module server doc"   of make install and
#                 uninstall; conf/files lists what goes where
#   VERSION=0.1.0+1 MAINTAINER="Ann <ann@example.com>" HOMEPAGE=URL   of make
#                 deb: fields of the packages (conf/origin has the defaults)
#   COMPAT=1 PAGES=DIR   of make run: the four ports that pages of `im` use
#                 (docs/migrating-from-im.md), and where the pages are

NGX_SRC  ?= /usr/share/nginx/src
PREFIX   ?= /usr
PORT     ?= 8080
WORKERS  ?= 2
ADDRESS  ?= 127.0.0.1

# the name of another nginx' sources; Debian's have a file of their own
NGX_NAME := $(shell test "$(NGX_SRC)" = /usr/share/nginx/src \
            -o -e "$(NGX_SRC)/conf_flags" \
            || basename "$(NGX_SRC)" | tr -c 'A-Za-z0-9.\n-' _)

ifneq ($(NGX_NAME),)
TOP      := build/with/$(NGX_NAME)$(if $(filter 1,$(STATIC)),-static)
NGINX    := $(TOP)/sbin/nginx
export PATH := $(CURDIR)/$(TOP)/sbin:$(PATH)
export NGX_SRC STATIC
else
TOP      := build
NGINX    :=
endif

ifeq ($(SAN),1)
BUILD    := $(TOP)/san
# the sanitizers' own branches would be warned of
WARNPROG :=
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
else ifeq ($(FUZZER),1)
# the decoders alone, for make fuzz
BUILD    := build/fuzz
CC       := clang
# gcc judges the code
WARNPROG := -w
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined \
            -fno-sanitize-recover=undefined
# an empty string is NULL and its end NULL + 0, which C2y defines
SANFLAGS += -fno-sanitize=pointer-overflow
else
BUILD    := $(TOP)
WARNPROG := -Wnull-dereference
SANFLAGS :=
endif

ifeq ($(V),1)
Q        :=
say       = @:
else
Q        := @
say       = @echo "$(1) $(2)"
endif

# as many jobs as processors, unless the caller said how many
JOBS      = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
MAKE_ALL  = @$(MAKE) --no-print-directory $(JOBS)

CC       ?= gcc
# sanitizers' code takes half as long to compile with -O1
CFLAGS   ?= $(if $(filter 1,$(SAN)),-O1,-O2) -g
WARN     := -std=gnu11 -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow \
            -Wstrict-prototypes -Wundef -Wpointer-arith -Wformat=2 \
            -Wno-unused-parameter
DEFS     := -D_GNU_SOURCE
# a folder of a program is one level deep: each shows a layer or a subject
FOLDERS  := $(wildcard im_core im_link im_daemon im_logic im_logic/*/ im_job)
INC      := $(addprefix -I,$(FOLDERS)) -I$(BUILD)

# what Debian builds with; the macro needs an optimizer and no sanitizer
HARDEN   := -fstack-protector-strong -fstack-clash-protection
ifneq ($(filter x86_64-% i686-%,$(shell $(CC) -dumpmachine 2> /dev/null)),)
HARDEN   += -fcf-protection
endif
ifeq ($(SANFLAGS),)
ifneq ($(filter-out -O0,$(filter -O%,$(CFLAGS))),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif
LDHARD   := -Wl,-z,relro -Wl,-z,now

COMPILE   = $(CC) $(WARN) $(CFLAGS) $(SANFLAGS) $(HARDEN) $(DEFS) $(INC) \
            -fPIC -MMD -MP
LDPROG    = $(CC) $(SANFLAGS) -pie $(LDHARD)

# what nanopb makes of im_core/im_proto_centrifuge.proto
PROTO    := im_proto_centrifuge.pb

sources   = $(wildcard $(1)/*.c $(1)/*/*.c)
objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
CORE     := $(call objects,im_core) $(BUILD)/im_scripts.o $(BUILD)/$(PROTO).o
LINK     := $(call objects,im_link)
DAEMON   := $(call objects,im_daemon)
LOGIC    := $(call objects,im_logic)
JOB      := $(call objects,im_job)

LINKLIBS := -levent -lhiredis -lyajl -l:libprotobuf-nanopb.a -lssl -lcrypto -lz
# what only im_logic uses: how names look
LOGICLIBS := -licui18n -licuuc

ifneq ($(STATIC),1)
MODULE   := $(BUILD)/ngx_im_module.so
else ifeq ($(NGX_NAME),)
$(error STATIC=1 needs NGX_SRC=DIR)
else ifeq ($(BUILD),$(TOP))
MODULE   :=
else
$(error STATIC=1 is without SAN=1 and FUZZER=1)
endif
PROGRAMS := $(BUILD)/im_logic $(BUILD)/im_job

UNITS    := $(patsubst t/unit/%.c,$(BUILD)/t/%,$(wildcard t/unit/*_test.c))
FUZZ     := $(patsubst t/fuzz/%.c,$(BUILD)/t/%,$(wildcard t/fuzz/*_fuzz.c))
# from an archive, so that each test links what it tests and no more; unit
# tests bring an allocator of their own, which fails on demand
TESTED   := $(BUILD)/t/tested.a
TESTLIBS := -lcmocka $(LINKLIBS) -lcrypt $(LOGICLIBS) -lm

# what bench/ measures with; the floor sends by io_uring where liburing is there
BENCHCORE := $(patsubst %,$(BUILD)/obj/im_core/im_%.o,alloc base64 buf)
LOAD     := $(call objects,bench/load)
URING    := $(wildcard /usr/include/liburing.h)
FLOOR    := $(filter-out %/floor_$(if $(URING),nouring,uring).o, \
            $(call objects,bench/floor))
BENCH    := $(BUILD)/bench/im_load $(BUILD)/bench/im_floor

.PHONY: all module programs run test drill fuzz fuzzers bench bench-million \
        bench-programs bench-peers lint style files install uninstall deb clean \
        help tests packages-build packages-run packages-test packages-lint \
        packages-fuzz packages-deb

all: packages-build
	$(MAKE_ALL) module programs

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile
	@echo "targets: all run test drill fuzz bench bench-million lint style" \
	      "install uninstall deb clean"

packages-%:
	@conf/packages $(subst -, ,$*)

module: $(MODULE) $(NGINX)

programs: $(PROGRAMS)


# the two daemons

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(WARNPROG) -c -o $@ $<

$(BUILD)/im_scripts.c: redis/embed $(wildcard redis/*.lua)
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)redis/embed redis > $@.tmp && mv $@.tmp $@

$(BUILD)/$(PROTO).c: im_core/im_proto_centrifuge.proto
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)protoc -Iim_core --nanopb_out=$(BUILD) $<

$(BUILD)/im_scripts.o $(BUILD)/$(PROTO).o: %.o: %.c
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/obj/im_core/im_proto_centrifuge_pb.o: | $(BUILD)/$(PROTO).c

$(BUILD)/im_logic: $(LOGIC) $(DAEMON) $(LINK) $(CORE)
	$(call say,LD,$@)
	$(Q)$(LDPROG) -pthread -o $@ $^ $(LINKLIBS) -lcrypt $(LOGICLIBS) -lm

$(BUILD)/im_job: $(JOB) $(DAEMON) $(LINK) $(CORE)
	$(call say,LD,$@)
	$(Q)$(LDPROG) -pthread -o $@ $^ $(LINKLIBS) -lm


# the generator and the floor of bench/

bench-programs: $(BENCH)

$(BUILD)/bench/im_load: $(LOAD) $(BENCHCORE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LDPROG) -o $@ $^ -lcrypto

$(BUILD)/bench/im_floor: $(FLOOR) $(BENCHCORE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LDPROG) -o $@ $^ -lcrypto $(if $(URING),-luring)


# the module, built by nginx's own makefile

NGX_HEADERS := $(wildcard ngx_im_module/*.h ngx_im_module/*/*.h im_core/*.h \
               im_link/*.h)
NGX_FILES := config ngx_im_module/ngx_im_module.map $(NGX_HEADERS) $(call sources,ngx_im_module) \
             $(call sources,im_core) $(call sources,im_link) \
             $(BUILD)/im_scripts.c $(BUILD)/$(PROTO).c
# modules and paths as Debian has them
NGX_OPTS  := --with-compat --with-debug --with-http_ssl_module \
             --with-http_v2_module --with-http_realip_module \
             --with-http_auth_request_module --with-http_stub_status_module \
             --with-http_dav_module --with-http_slice_module --with-pcre-jit \
             --with-http_addition_module --with-http_sub_module \
             --with-http_gunzip_module --with-http_gzip_static_module \
             --with-threads --prefix=/usr/share/nginx --error-log-path=stderr \
             --conf-path=/etc/nginx/nginx.conf --pid-path=/run/nginx.pid \
             --http-log-path=/var/log/nginx/access.log \
             --modules-path=/usr/lib/nginx/modules \
             $(foreach x,body fastcgi proxy scgi uwsgi, \
             --http-$(patsubst body,client-body,$(x))-temp-path=/var/lib/nginx/$(x))

# the way from $(BUILD)/src to this folder
empty    :=
UP       := $(subst $(empty) ,/,$(patsubst %,..,$(subst /, ,$(BUILD)/src)))

# changes with the folder and with the version in it
$(BUILD)/nginx.src: force
	@mkdir -p $(@D)
	@{ echo "$(NGX_SRC) $(NGX_OPTS)"; cksum < "$(NGX_SRC)/src/core/nginx.h"; } > $@.tmp \
	    2>&1; cmp -s $@.tmp $@ || cp $@.tmp $@; rm $@.tmp

force:

# nginx's source is seen through links in $(BUILD)/src, from where all paths of
# ours are relative: its configure can't have a space or a # in them
$(BUILD)/nginx/Makefile: config $(NGX_HEADERS) $(BUILD)/nginx.src | $(BUILD)/im_scripts.c \
        $(BUILD)/$(PROTO).c
	@if ! test -e "$(NGX_SRC)/configure" -o -e "$(NGX_SRC)/auto/configure"; then \
	    echo "NGX_SRC=$(NGX_SRC): no nginx source there;" \
	         "install nginx-dev or name a source tree" >&2; exit 1; fi
	$(call say,CONFIGURE,$(NGX_SRC))
	@rm -rf $(BUILD)/src && mkdir -p $(BUILD)/src \
	&& ln -s "$$(cd "$(NGX_SRC)" && pwd)"/* $(BUILD)/src
	$(Q)cd $(BUILD)/src && flags="$(NGX_OPTS)" \
	&& if test -e conf_flags; then . ./conf_flags; \
	       set -- "$${NGX_CONF_FLAGS[@]}"; \
	   elif test -d src/http/v3; then \
	       set -- $$flags --with-http_v3_module; else set -- $$flags; fi \
	&& configure=configure && { test -e $$configure || \
	       configure=auto/configure; } \
	&& IM_SCRIPTS=../im_scripts.c IM_PROTO=../$(PROTO).c bash $$configure "$$@" \
	       --with-cc-opt="$(CFLAGS) -fPIC $(SANFLAGS) $(HARDEN)" \
	       --with-ld-opt="-fPIC $(SANFLAGS) $(LDHARD)" \
	       --builddir=../nginx \
	       --add-$(if $(filter 1,$(STATIC)),,dynamic-)module=$(UP) \
	       > ../configure.log \
	|| { tail -n 20 ../configure.log; exit 1; }

$(BUILD)/nginx/Makefile $(MODULE): SHELL := /bin/bash

$(MODULE): $(BUILD)/nginx/Makefile $(NGX_FILES)
ifeq ($(V),1)
	$(MAKE) -f ../nginx/Makefile -C $(BUILD)/src modules
else
	@set -o pipefail; $(MAKE) --no-print-directory -f ../nginx/Makefile \
	    -C $(BUILD)/src modules \
	    | sed -nu 's,^\s*$(UP)/\([^ ]*\.c\)$$,CC \1,p'
endif
	$(call say,LD,$@)
	$(Q)cp $(BUILD)/nginx/ngx_im_module.so $@.tmp && mv $@.tmp $@

# another nginx than Debian's, without sanitizers in any case; Angie's program
# has its own name
ifeq ($(BUILD),$(TOP))
$(NGINX): $(BUILD)/nginx/Makefile $(if $(filter 1,$(STATIC)),$(NGX_FILES)) \
        | $(MODULE)
	$(call say,MAKE,$@)
	@mkdir -p $(@D)
	$(Q)$(MAKE) --no-print-directory -f ../nginx/Makefile -C $(BUILD)/src \
	    binary > $(BUILD)/nginx.log 2>&1 \
	|| { tail -n 20 $(BUILD)/nginx.log; exit 1; }
	@cd $(BUILD)/nginx && { test -e angie || ln -sf nginx angie; }
	$(Q)cp $(BUILD)/nginx/angie $@.tmp && mv $@.tmp $@
else ifneq ($(NGINX),)
$(NGINX): force
	$(Q)$(MAKE) --no-print-directory SAN= FUZZER= $@
endif


run: packages-build-run
	$(MAKE_ALL) module programs
	@exec env PORT=$(PORT) WORKERS=$(WORKERS) ADDRESS=$(ADDRESS) \
	    REDIS='$(REDIS)' COMPAT='$(COMPAT)' PAGES='$(PAGES)' \
	    COMPAT_PORTS='$(COMPAT_PORTS)' conf/run $(BUILD)


# tests

DRILL    := $(BUILD)/t/client $(BUILD)/t/between $(BUILD)/t/clock.so \
            $(BUILD)/t/names.so $(BUILD)/t/nomem.so $(BUILD)/t/slow.so \
            $(BUILD)/t/small.so $(BUILD)/t/source.so $(BUILD)/t/swap.so

# it counts what it does
ifneq ($(MODULE),)
ifneq ($(SAN),1)
WORK     := $(BUILD)/t/work/ngx_im_module.so $(BUILD)/t/work.so
endif
endif

tests: module programs bench-programs $(UNITS) $(FUZZ) $(DRILL) $(WORK)

test: packages-build-test
	$(MAKE_ALL) tests
	@SAN=$(SAN) IM_BUILD="$$PWD/$(BUILD)" t/run $(STEPS)

$(TESTED): $(filter-out $(BUILD)/obj/im_core/im_alloc.o,$(CORE)) \
        $(filter-out %_main.o,$(LINK) $(DAEMON) $(LOGIC) $(JOB)) \
        $(patsubst %,$(BUILD)/obj/bench/load/load_%.o,check frame hist proto)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/t/%_test: t/unit/%_test.c t/unit/alloc.c $(TESTED)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -It/unit -Ibench/load -o $@ $(filter %.c,$^) $(TESTED) \
	    $(TESTLIBS)

$(BUILD)/t/%_fuzz: t/fuzz/%_fuzz.c t/fuzz/replay.c $(TESTED) \
        $(BUILD)/obj/im_core/im_alloc.o
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -o $@ $(filter %.c,$^) $(TESTED) \
	    $(BUILD)/obj/im_core/im_alloc.o $(TESTLIBS)

$(BUILD)/t/client: t/lib/client.c t/lib/wire.c t/lib/wire.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -It/lib -o $@ $(filter %.c,$^) -lyajl

$(BUILD)/t/between: t/lib/between.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -o $@ $<

# preloaded; they have no sanitizer
$(BUILD)/t/clock.so: t/drill/clock.c
$(BUILD)/t/names.so: t/lib/names.c
$(BUILD)/t/nomem.so: t/lib/nomem.c
$(BUILD)/t/slow.so: t/lib/slow.c
$(BUILD)/t/small.so: t/lib/small.c
$(BUILD)/t/source.so: t/drill/source.c
$(BUILD)/t/swap.so: t/lib/swap.c
$(BUILD)/t/work.so: t/lib/work.c
$(BUILD)/t/clock.so $(BUILD)/t/names.so $(BUILD)/t/nomem.so \
        $(BUILD)/t/slow.so $(BUILD)/t/small.so $(BUILD)/t/source.so \
        $(BUILD)/t/swap.so $(BUILD)/t/work.so:
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(WARN) $(CFLAGS) $(DEFS) -fPIC -shared -o $@ $<

# those files of the module are compiled again, and the others are linked as
# they are
COUNTED  := $(BUILD)/work/addon/handover/*.o \
            $(patsubst %,$(BUILD)/work/addon/client/ngx_im_%.o,\
                flush send sub unpack) \
            $(BUILD)/work/addon/im_core/im_topic.o

$(BUILD)/t/work/ngx_im_module.so: $(MODULE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)rm -rf $(BUILD)/work && cp -a $(BUILD)/nginx $(BUILD)/work \
	&& sed -i 's,\.\./nginx\b,../work,g; /^CFLAGS = /s,$$, -fsanitize-coverage=trace-pc,' \
	    $(BUILD)/work/Makefile \
	&& rm $(COUNTED) $(BUILD)/work/ngx_im_module.so \
	&& $(MAKE) --no-print-directory -f ../work/Makefile -C $(BUILD)/src modules \
	    > $(BUILD)/work.log 2>&1 \
	&& cp $(BUILD)/work/ngx_im_module.so $@ && rm -r $(BUILD)/work \
	|| { tail -n 20 $(BUILD)/work.log; exit 1; }

drill: packages-build-test
	$(MAKE_ALL) module programs bench-programs $(DRILL)
	@IM_BUILD="$$PWD/$(BUILD)" IM_DRILL=long perl t/drill/drill.t
	@IM_BUILD="$$PWD/$(BUILD)" IM_DRILL=long perl t/drill/failover.t
	@IM_BUILD="$$PWD/$(BUILD)" IM_DRILL=long perl t/drill/handover.t

# finds what the corpus doesn't have; make test replays the corpus
fuzz: packages-build-test-fuzz
	$(MAKE_ALL) SAN=1 module programs
	$(MAKE_ALL) FUZZER=1 fuzzers
	@TIME='$(TIME)' LIVE='$(LIVE)' t/fuzz/run $(TARGETS)

fuzzers: $(patsubst t/fuzz/%.c,$(BUILD)/%,$(wildcard t/fuzz/*_fuzz.c))

$(BUILD)/%_fuzz: t/fuzz/%_fuzz.c $(TESTED) $(BUILD)/obj/im_core/im_alloc.o
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(WARNPROG) -fsanitize=fuzzer -o $@ $< $(TESTED) \
	    $(BUILD)/obj/im_core/im_alloc.o $(TESTLIBS)

# what im costs, beside the floor and other servers
bench: packages-build-test $(if $(QUICK),,bench-peers)
	$(MAKE_ALL) module programs bench-programs
	@bench/run --build '$(BUILD)' $(if $(QUICK),--quick) \
	    $(if $(ROUNDS),--rounds '$(ROUNDS)') $(ROWS)

bench-million: packages-build-test
	$(MAKE_ALL) module programs bench-programs
	@bench/million --build '$(BUILD)' $(if $(CLIENTS),--clients '$(CLIENTS)')

# Centrifugo, where Go is there to build it
bench-peers:
	@if test -x build/peers/centrifugo; then :; \
	elif ! command -v go > /dev/null; then \
	    echo "without Centrifugo: there is no Go to build it"; \
	else \
	    echo "GO centrifugo"; \
	    GOBIN="$$PWD/build/peers" go install \
	        github.com/centrifugal/centrifugo/v6@latest 2> build/peers.log \
	    || echo "without Centrifugo: $$(tail -n 1 build/peers.log)"; \
	fi

lint: packages-build-lint deb
	@CC=$(CC) NGX_SRC=$(NGX_SRC) BUILD=$(BUILD) t/lint

style:
	@t/style


# installation and packages: conf/files lists what goes where

MAN      := $(addprefix $(BUILD)/man/,im_logic.8 im_job.8 ngx_im_module.5)

files: $(MAN) $(BUILD)/im.conf.example

$(BUILD)/man/%.8: $(BUILD)/% conf/man
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)conf/man daemon $< > $@.tmp && mv $@.tmp $@

$(BUILD)/man/ngx_im_module.5: docs/directives.md conf/man
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)conf/man directives $< > $@.tmp && mv $@.tmp $@

$(BUILD)/im.conf.example: conf/nginx.conf.example conf/site
	$(call say,GEN,$@)
	$(Q)conf/site $< > $@.tmp && mv $@.tmp $@

INSTALL   = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' BUILD='$(BUILD)' conf/install

install: module programs files
	@$(INSTALL) install $(PARTS)

uninstall:
	@$(INSTALL) uninstall $(PARTS)

# VERSION is that of the packages, where it isn't debian/changelog's
DEB      := build/deb
# what debhelper leaves behind
DEBIAN   := $(addprefix debian/,.debhelper files *.debhelper *.substvars \
            debhelper-build-stamp im-doc im-server libnginx-mod-im)

# one at a time: they share debian/
deb: packages-build-deb
	@test -z '$(NGX_NAME)' || { echo "make deb: the packages are for Debian's" \
	    "nginx, without NGX_SRC=" >&2; exit 1; }
	$(MAKE_ALL) module programs files
	$(Q)exec 9> build/deb.lock && flock 9 && rm -rf $(DEB) $(DEBIAN) \
	&& mkdir -p $(DEB) && VERSION='$(VERSION)' DEB='$(DEB)' \
	    MAINTAINER="$$(conf/origin maintainer)" \
	    HOMEPAGE="$$(conf/origin homepage)" dpkg-buildpackage -b -us -uc -nc \
	    --buildinfo-option=-u$(DEB) --changes-option=-u$(DEB) \
	    --buildinfo-file=$(DEB)/im.buildinfo \
	    --changes-file=$(DEB)/im.changes > $(DEB).log 2>&1 9>&- \
	|| { tail -n 20 $(DEB).log; exit 1; }; rm -rf $(DEBIAN)
	@ls $(DEB)/*.deb

clean:
	rm -rf build


-include $(patsubst %.o,%.d,$(CORE) $(LINK) $(DAEMON) $(LOGIC) $(JOB) $(LOAD) \
         $(FLOOR))
-include $(wildcard $(BUILD)/t/*.d)
