#!/bin/sh
# Tests of the `leakshim` program: sh tests/cli/test_cli.sh BUILD_DIRECTORY
# Needs leakshim and libleakshim.so in the build directory, and cc. A small library that leaves a
# mark when it is loaded stands in for libleakshim.so, so that what `run` says about a program can
# be held against what the loader really did.

set -u
unset LD_PRELOAD LEAKSHIM_OPTIONS LEAKSHIM_LIBRARY
# A build with AddressSanitizer insists on being loaded first, and a preload comes before it.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
build=$(cd "${1:?usage: test_cli.sh BUILD_DIRECTORY}" && pwd) || exit 2
leakshim=$build/leakshim
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
cd "$scratch" || exit 2
passed=0
failed=0
skipped=0
number=0

# check NAME COMMAND...: passes when the command succeeds.
check() {
    name=$1
    shift
    number=$((number + 1))
    if "$@" >check.log 2>&1; then
        passed=$((passed + 1))
        echo "ok $number - $name"
    else
        failed=$((failed + 1))
        echo "not ok $number - $name"
        sed 's/^/#   /' check.log out err 2>/dev/null
    fi
}

skip() {
    skipped=$((skipped + 1))
    echo "# skipped - $1: $2"
}

# leak ARGUMENT...: runs the program, keeping what it printed and its exit code.
leak() {
    "$leakshim" "$@" >out 2>err </dev/null
    code=$?
}

# run_marked ARGUMENT...: `leakshim run` with the marking library; `mark` exists when it was loaded.
run_marked() {
    rm -f "$scratch/mark"
    LEAKSHIM_TEST_MARK=$scratch/mark "$leakshim" run --quiet --library="$scratch/bin/libleakshim.so" "$@" \
        >out 2>err </dev/null
    code=$?
}

exits() { [ "$code" -eq "$1" ] || { echo "exit code $code, expected $1"; false; }; }
out_is() { [ "$(cat out)" = "$1" ] || { echo "stdout is not: $1"; false; }; }
err_is() { [ "$(cat err)" = "$1" ] || { echo "stderr is not: $1"; false; }; }
out_has() { grep -qF -e "$1" out || { echo "not on stdout: $1"; false; }; }
err_has() { grep -qF -e "$1" err || { echo "not on stderr: $1"; false; }; }
silent() { [ ! -s err ] || { echo "stderr is not empty"; false; }; }
loaded() { [ -e mark ] || { echo "the library was not loaded"; false; }; }
not_loaded() { [ ! -e mark ] || { echo "the library was loaded"; false; }; }
usage_error() { exits 2 && out_is "" && err_has "$1"; }
refused_option() { leak run "$1" -- true; usage_error "$2"; }
says_untracked() { err_has "runs untracked: $1"; }

mkdir bin lib
cat >mark.c <<'END'
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void leave_mark(void)
{
    const char *path = getenv("LEAKSHIM_TEST_MARK");

    if (path != NULL)
        close(open(path, O_CREAT | O_WRONLY, 0666));
}
END
cat >victim.c <<'END'
int main(void)
{
    return 7;
}
END
cc -shared -fPIC -o bin/libleakshim.so mark.c && cc -o victim victim.c &&
    cc -static -o victim_static victim.c && cc -static-pie -o victim_static_pie victim.c || exit 2
cp "$leakshim" bin/leakshim
cp bin/libleakshim.so lib/other.so

# --- version, help, usage

version_is_printed() { leak version; exits 0 && silent && grep -qE '^leakshim [0-9]+\.[0-9]+\.[0-9]+' out; }
check "version prints the version" version_is_printed

version_option() { leak --version; exits 0 && grep -q '^leakshim [0-9]' out; }
check "--version is the same as version" version_option

help_lists() {
    leak help
    exits 0 && silent || return 1
    for key in mode sample js_sample interval dir keep track depth top allocator only children \
        memory start library; do
        out_has "  --$key=" || return 1
    done
    for command in run version help; do
        out_has "  $command " || return 1
    done
}
check "help lists every subcommand and every option" help_lists

same_help() { "$leakshim" help >help; leak "$@"; exits 0 && cmp out help; }
check "--help, -h and run --help print the same" eval 'same_help --help && same_help -h && same_help run --help'

no_command() { leak; usage_error "no command is given" && err_has "usage: leakshim run"; }
check "without a subcommand it prints the usage on stderr and exits 2" no_command

unknown_command() { leak chekc; usage_error "unknown command" && err_has "usage: leakshim run"; }
check "an unknown subcommand is a usage error" unknown_command

extra_arguments() { leak version x; usage_error "takes no arguments"; }
check "version and help take no arguments" extra_arguments

if [ -e /dev/full ]; then
    full_disk() { "$leakshim" help >/dev/full 2>err; code=$?; exits 2 && err_has "cannot write"; }
    check "help that cannot be written is an error" full_disk
else
    skip "help that cannot be written is an error" "no /dev/full"
fi

# --- run: the command is the process

check "run passes the exit code of the command on" eval 'run_marked -- ./victim; exits 7 && silent && loaded'
check "run needs no -- before the command" eval 'run_marked ./victim; exits 7 && loaded'

arguments() { run_marked -- printf '<%s>' --mode=exact '' 'a b' -h; exits 0 && out_is '<--mode=exact><><a b><-h>'; }
check "arguments of the command are left alone" arguments
check "options behind the command belong to the command" \
    eval 'run_marked printf "%s" --help; exits 0 && out_is --help'

same_process() {
    rm -f mark
    "$leakshim" run --exec --library=bin/libleakshim.so -- sh -c 'echo $$; kill -9 $$' >out 2>err &
    process=$!
    wait $process 2>/dev/null
    code=$?
    exits 137 && out_is $process
}
check "with --exec the command takes over the process, its id and its death by a signal" same_process

standard_input() {
    echo hello | "$leakshim" run --quiet --library=bin/libleakshim.so -- cat >out 2>err
    code=$?
    exits 0 && out_is hello && silent
}
check "stdin, stdout and stderr are the command's" standard_input

descriptors() {
    ls /proc/self/fd >expected
    run_marked -- ls /proc/self/fd
    cmp out expected
}
check "no descriptor is left open" descriptors

check "a command that is not found exits 127" \
    eval 'leak run --library=bin/libleakshim.so -- no-such-command-here; exits 127 && err_has "cannot execute '\''no-such-command-here'\'': No such file"'
check "a path that is not found exits 127" eval 'run_marked -- ./nothing; exits 127'
check "an empty command exits 127" eval 'run_marked -- ""; exits 127'
echo text >plain
check "a command that cannot be executed exits 126" eval 'run_marked -- ./plain; exits 126 && err_has "Permission denied"'
check "a directory as command exits 126" eval 'run_marked -- ./bin; exits 126'
check "run without a command is a usage error" eval 'leak run; usage_error "no command is given" && leak run --mode=exact; usage_error "no command is given"'

# --- run: options

options_of() { run_marked "$@" -- printenv LEAKSHIM_OPTIONS; }

every_option() {
    options_of --mode=exact --sample=1M --js_sample=64K --interval=250ms --dir=/tmp/x --keep=3 \
        --track=heap+js --depth=32 --top=7 --allocator=jemalloc --only=node --children=off \
        --memory=128M --start=off
    exits 0 && silent && out_is "mode=exact,sample=1M,js_sample=64K,interval=250ms,dir=/tmp/x,keep=3,track=heap+js,depth=32,top=7,allocator=jemalloc,only=node,children=off,memory=128M,start=off"
}
check "every option reaches LEAKSHIM_OPTIONS" every_option
check "without options LEAKSHIM_OPTIONS is not made" eval 'options_of; exits 1 && out_is ""'
check "values may be arguments of their own, and names have dashes" \
    eval 'options_of --js-sample 2K --top 5; exits 0 && out_is js_sample=2K,top=5'
check "the command line stands behind the variable and so wins" \
    eval 'LEAKSHIM_OPTIONS=mode=off,top=3 options_of --top=5; out_is mode=off,top=3,top=5'
check "the variable alone is passed on as it is" \
    eval 'LEAKSHIM_OPTIONS=what,ever= options_of; silent && out_is what,ever='
check "a comma in a value is escaped" \
    eval 'options_of --dir=a,b --top=5; out_is "dir=a\\,b,top=5" && options_of "--dir=a\\,b"; out_is "dir=a\\,b"'
check "a backslash at the end of a value does not swallow the next option" \
    eval 'options_of "--dir=a\\" --top=5; out_is "dir=a\\\\,top=5"'
check "nor does one at the end of the variable" \
    eval 'LEAKSHIM_OPTIONS="dir=a\\" options_of --top=5; out_is "dir=a\\\\,top=5"'
check "an escaped backslash at the end of the variable stays as it is" \
    eval 'LEAKSHIM_OPTIONS="dir=a\\\\" options_of --top=5; out_is "dir=a\\\\,top=5"'

check "an unknown option exits 2 and is named" refused_option --smaple=1 "unknown option '--smaple=1'"
check "an unknown letter exits 2 and is named" refused_option -x "unknown option '-x'"
check "a bad value exits 2 and says what is allowed" \
    refused_option --mode=fast "option '--mode' is 'fast', expected one of sampled, exact, off"
check "a value out of range exits 2" refused_option --depth=129 "expected a number from 1 to 128"
check "a value of control characters is printed harmlessly" \
    refused_option "--mode=$(printf '\033[2J')" "'\\x1b[2J'"
check "a missing value exits 2" eval 'leak run --mode; usage_error "a value is missing for '\''--mode'\''"'
huge() { leak run "--dir=$(printf '%040000d' 0)" -- true; usage_error "too long"; }
check "a value of 40,000 bytes exits 2" huge

# --- run: the library

preload_of() { "$@" -- printenv LD_PRELOAD >out 2>err; code=$?; }
check "the library beside the program is found" eval 'preload_of bin/leakshim run; out_is "$scratch/bin/libleakshim.so"'
check "LEAKSHIM_LIBRARY names the library" \
    eval 'LEAKSHIM_LIBRARY=lib/other.so preload_of bin/leakshim run; out_is "$scratch/lib/other.so"'
check "--library wins over LEAKSHIM_LIBRARY" \
    eval 'LEAKSHIM_LIBRARY=lib/nothing.so preload_of bin/leakshim run --library=lib/other.so; out_is "$scratch/lib/other.so"'
check "the library goes before what is preloaded already" \
    eval 'LD_PRELOAD=$scratch/lib/other.so preload_of bin/leakshim run; out_is "$scratch/bin/libleakshim.so:$scratch/lib/other.so"'
check "a library that is first already is not named twice" \
    eval 'LD_PRELOAD="$scratch/bin/libleakshim.so $scratch/lib/other.so" preload_of bin/leakshim run; out_is "$scratch/bin/libleakshim.so $scratch/lib/other.so"'

installed_tree() {
    mkdir -p prefix/bin prefix/lib
    cp "$leakshim" prefix/bin/leakshim
    cp bin/libleakshim.so prefix/lib/libleakshim.so
    preload_of prefix/bin/leakshim run
    out_is "$scratch/prefix/lib/libleakshim.so"
}
check "the library in ../lib is found" installed_tree

linked_program() {
    ln -sf "$scratch/prefix/bin/leakshim" link
    preload_of ./link run
    out_is "$scratch/prefix/lib/libleakshim.so"
}
check "it is found through a symbolic link to the program" linked_program

missing_library() { leak run --library=nothing.so -- true; usage_error "'nothing.so' is not a shared library"; }
check "a library that does not exist exits 2" missing_library
check "a file that is no library exits 2" eval 'leak run --library=plain -- true; usage_error "is not a shared library"'
mkdir 'with blank'
cp bin/libleakshim.so 'with blank/libleakshim.so'
check "a path LD_PRELOAD cannot express exits 2" \
    eval 'leak run "--library=with blank/libleakshim.so" -- true; usage_error "a blank or a colon"'
mkfifo pipe
check "a pipe as library is refused without waiting" eval 'leak run --library=pipe -- true; usage_error "is not a shared library"'
check "the built library is the one that is preloaded" \
    eval 'cd "$scratch" && preload_of "$leakshim" run --mode=off; exits 0 && out_is "$(readlink -f "$build/libleakshim.so")"'

# --- run: what cannot be tracked. The loader is the judge.

check "a dynamic program runs tracked and nothing is said" eval 'run_marked ./victim; exits 7 && silent && loaded'
check "a static program is run with a warning" \
    eval 'run_marked ./victim_static; exits 7 && says_untracked "it is statically linked" && not_loaded'
check "a static position-independent program is too" \
    eval 'run_marked ./victim_static_pie; exits 7 && says_untracked "it is statically linked" && not_loaded'

script() { printf '%s\nexit 7\n' "$2" >"$1"; chmod 755 "$1"; }
script script_sh '#!/bin/sh'
check "a script of a dynamic interpreter runs tracked" eval 'run_marked ./script_sh; exits 7 && silent && loaded'
script script_static "#!$scratch/victim_static -x"
check "a script of a static interpreter is run with a warning" \
    eval 'run_marked ./script_static; exits 7 && says_untracked "its interpreter is $scratch/victim_static, and it is statically linked" && not_loaded'
mkdir path
cp victim_static path/static_interpreter
cp victim path/dynamic_interpreter
PATH=$scratch/path:$PATH
script script_env '#!/usr/bin/env static_interpreter'
check "an interpreter found through env is the one that counts" \
    eval 'run_marked ./script_env; exits 7 && says_untracked "its interpreter is $scratch/path/static_interpreter"'
script script_env_s '#!/usr/bin/env -S A=b static_interpreter -x'
check "options and assignments of env are passed over" \
    eval 'run_marked ./script_env_s; exits 7 && says_untracked "its interpreter is $scratch/path/static_interpreter"'
script script_env_dynamic '#!/usr/bin/env dynamic_interpreter'
check "a dynamic interpreter found through env is fine" eval 'run_marked ./script_env_dynamic; exits 7 && silent && loaded'
script script_nested "#!$scratch/script_static"
check "a script whose interpreter is a script is followed" \
    eval 'run_marked ./script_nested; exits 7 && says_untracked "its interpreter is $scratch/victim_static"'
script script_loop "#!$scratch/script_loop"
check "a script that is its own interpreter comes to an end" eval 'run_marked ./script_loop; exits 126'
printf 'exit 7\n' >script_bare
chmod 755 script_bare
check "a text without #! goes to the shell and runs tracked" eval 'run_marked ./script_bare; exits 7 && silent && loaded'
check "a command found in PATH is looked at" \
    eval 'run_marked static_interpreter; exits 7 && says_untracked "it is statically linked"'

# Offsets of EI_CLASS and e_machine: 4 and 18.
patched() { cp victim "$1"; printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
patched victim_riscv 18 '\363\000'
check "a program for another machine is named as such" \
    eval 'run_marked ./victim_riscv; says_untracked "it is a program for 64-bit risc-v, the library is for 64-bit"'
patched victim_machine 18 '\123\145'
check "a machine without a name gets its number" \
    eval 'run_marked ./victim_machine; says_untracked "it is a program for 64-bit ELF machine 25939,"'
patched victim_32 4 '\001'
check "a 32-bit program is named as such" eval 'run_marked ./victim_32; says_untracked "it is a program for 32-bit"'

# Headers cut short or overwritten. The file may not be executed, so that a death by a signal could
# only be that of the program under test.
survives() {
    chmod 644 damaged
    run_marked ./damaged
    exits 126
}
damaged() {
    for length in 0 1 2 3 4 5 15 17 19 20 32 52 63 64 65 100 119 120 200; do
        rm -f damaged
        head -c "$length" victim >damaged
        survives || return 1
    done
    for offset in 32 40 54 56 64 72 80 88 96 104 120 128 136 144 152 160; do
        for bytes in '\377\377\377\377\377\377\377\377' '\377\377\377\377\377\377\377\177' '\0\0\0\0\0\0\0\0'; do
            rm -f damaged
            patched damaged "$offset" "$bytes"
            survives || return 1
        done
    done
}
check "damaged ELF files are survived" damaged

if [ "$(id -u)" -eq 0 ] && ! findmnt -no OPTIONS -T "$scratch" | grep -q nosuid; then
    cp victim victim_setuid && chown 1 victim_setuid && chmod 4755 victim_setuid
    check "a set-uid program is run with a warning" \
        eval 'run_marked ./victim_setuid; exits 7 && says_untracked "it is set-uid" && not_loaded'
    cp victim victim_setgid && chgrp 1 victim_setgid && chmod 2755 victim_setgid
    check "a set-gid program is run with a warning" \
        eval 'run_marked ./victim_setgid; exits 7 && says_untracked "it is set-gid" && not_loaded'
    cp victim victim_own && chmod 6755 victim_own
    check "a set-uid program of the caller's own is fine" eval 'run_marked ./victim_own; exits 7 && silent && loaded'
    if cp victim victim_capable && setcap cap_net_bind_service=ep victim_capable 2>/dev/null; then
        check "root gains nothing by file capabilities" eval 'run_marked ./victim_capable; exits 7 && silent && loaded'
        # The build directory may be closed to others.
        as_nobody() {
            rm -f mark
            mkdir -p open && chmod 777 open && rm -f open/mark
            LEAKSHIM_TEST_MARK=$scratch/open/mark setpriv --reuid=65534 --regid=65534 \
                --clear-groups bin/leakshim run --quiet -- "$@" >out 2>err </dev/null
            code=$?
        }
        check "a program with file capabilities is run with a warning" \
            eval 'as_nobody ./victim_capable; exits 7 && says_untracked "it has file capabilities" && [ ! -e open/mark ]'
        check "another user runs a plain program tracked" \
            eval 'as_nobody ./victim; exits 7 && silent && [ -e open/mark ]'
        chmod 4711 victim_setuid
        check "a set-uid program that cannot be read is run with a warning" \
            eval 'as_nobody ./victim_setuid; exits 7 && says_untracked "it is set-uid" && [ ! -e open/mark ]'
    else
        skip "file capabilities" "setcap is missing or not allowed"
    fi
else
    skip "set-uid, set-gid and capabilities" "needs root and a file system without nosuid"
fi

[ "$skipped" -eq 0 ] || echo "# $skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
