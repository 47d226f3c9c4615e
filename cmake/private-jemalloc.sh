#!/bin/sh
# Makes a private copy of jemalloc: one relocatable object whose every global symbol carries the
# prefix lsje_, so that neither the host nor another jemalloc in the process can meet it.
#
#   private-jemalloc.sh ARCHIVE OUTPUT NM AR LD OBJCOPY
#
# What jemalloc takes from outside and must not, inside someone else's process, is renamed to
# functions of ours in src/system/jemalloc_environment.c: its memory (so that it does not pass
# through our own mmap hook), its configuration (MALLOC_CONF and /etc/malloc.conf are meant for the
# host's jemalloc, and with prof:true would be costly here), libm, the compiler's unwinder, and the
# key by whose destructor it takes a thread's caches down.
set -eu
archive=$1 output=$2 nm=$3 ar=$4 ld=$5 objcopy=$6
work=$output.d
rm -rf "$work"
mkdir -p "$work"
cp "$archive" "$work/archive.a"
cd "$work"
"$ar" x archive.a
rm -f jemalloc_cpp.pic.o # operator new and delete: the host keeps its own
"$ld" -r -o merged.o ./*.pic.o
"$nm" -g --defined-only merged.o | awk 'NF == 3 { print $3, "lsje_" $3 }' >symbols
for name in mmap munmap madvise mprotect secure_getenv readlink sbrk exp log round \
    _Unwind_Backtrace _Unwind_GetIP pthread_key_create; do
    echo "$name ls_jemalloc_$name" >>symbols
done
"$objcopy" --redefine-syms=symbols merged.o "$output"
cd ..
rm -rf "$work"
