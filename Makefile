# PGXS build. Sources are found by pattern: a new file in one of these folders needs no change here.
EXTENSION    = pg_snapback
EXTVERSION   = 0.1.0
MODULE_big   = pg_snapback

SOURCES      = $(wildcard src/*.cpp src/*/*.cpp src/*/*/*.cpp)
OBJS         = $(SOURCES:.cpp=.o)

# The install script is the SQL of all modules, concatenated in order of dependency.
SQL_PARTS    = $(shell cat src/install_order)
DATA_built   = $(EXTENSION)--$(EXTVERSION).sql

PG_CXXFLAGS  = -std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden -Wall -Wextra -Werror $(SANITIZE)
PG_CPPFLAGS  = -Isrc -MMD -MP
SHLIB_LINK   = -lstdc++ -lzstd -lcrypto -lcurl -lpthread $(SANITIZE)
EXTRA_CLEAN  = $(EXTENSION)--$(EXTVERSION).sql $(OBJS:.o=.d) build results output_iso regression.diffs regression.out

# `make installcheck` needs a running server, a superuser as PGUSER, max_prepared_transactions >= 10, and free worker
# slots (max_worker_processes). `scripts/server make installcheck` starts such a server. It installs an extension for tests.
REGRESS      = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION    = $(patsubst specs/%.spec,%,$(sort $(wildcard specs/*.spec)))
REGRESS_OPTS = --load-extension=pg_snapback
ISOLATION_OPTS = --load-extension=pg_snapback

# PGXS would build JIT bitcode without the C++ flags, and JIT inlining has no benefit here.
override with_llvm := no

PG_CONFIG   ?= pg_config
PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Drop warning options that exist for C only. -isystem suppresses warnings in PostgreSQL's headers.
override CPPFLAGS := -isystem $(shell $(PG_CONFIG) --includedir-server) $(CPPFLAGS)

$(EXTENSION)--$(EXTVERSION).sql: src/install_order $(SQL_PARTS)
	{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; cat $(SQL_PARTS); } > $@

# The core and the text of mails are compiled without PostgreSQL's include path.
src/core/%.o: src/core/%.cpp
	$(CXX) $(filter-out -Wmissing-prototypes,$(CXXFLAGS)) -Isrc -MMD -MP -c -o $@ $<

src/mail/text/%.o: src/mail/text/%.cpp
	$(CXX) $(filter-out -Wmissing-prototypes,$(CXXFLAGS)) -Isrc -MMD -MP -c -o $@ $<

# The compiler writes header dependencies beside each object file, because PGXS does not track them.
-include $(OBJS:.o=.d)
$(OBJS): Makefile

TEST_MODULE  = test/modules/snapback_test
installcheck: install-test-module
.PHONY: install-test-module
install-test-module:
	for file in $(TEST_MODULE)/*.control $(TEST_MODULE)/*.sql; do cmp -s $$file $(datadir)/extension/$${file##*/} || \
	    exec $(MAKE) -C $(TEST_MODULE) install; done

clean: clean-boundary
.PHONY: clean-boundary
clean-boundary:
	$(MAKE) -C test/boundary clean
