/* Names that try to break every format; part of report_fixture.c. */
#ifndef LS_REPORT_FIXTURE_HOSTILE_H
#define LS_REPORT_FIXTURE_HOSTILE_H

#include "report/snapshot.h"

#define HOSTILE                                                                                    \
    "a\"b\\c\n\t\x01\x1b[31m\x7f\xff\xc3(\xed\xa0\x80\xe2\x80\xae\xc3\xa9\xf0\x9f\x90\x9b"

static const struct ls_snapshot_frame hostile_frames[] = {
    {.pc = UINT64_MAX,
     .module = HOSTILE,
     .build_id = "",
     .offset = UINT64_MAX,
     .function = HOSTILE,
     .file = HOSTILE,
     .line = UINT32_MAX,
     .language = "c"},
    {.pc = 0x1000, .module = "", .build_id = "", .function = "", .file = "", .language = "jit"},
    {.pc = 0x2000,
     .module = "/lib/libhostile.so",
     .build_id = "00",
     .offset = 0x20,
     .function = "tail\xe2\x80",
     .file = "",
     .language = "c"},
};

#endif
