#include "base/resource.h"

const char *const ls_resource_names[LS_RESOURCE_COUNT] = {
    [LS_RESOURCE_HEAP] = "heap",     [LS_RESOURCE_MAP] = "map",       [LS_RESOURCE_JS] = "js",
    [LS_RESOURCE_THREAD] = "thread", [LS_RESOURCE_SOCKET] = "socket", [LS_RESOURCE_FILE] = "file",
    [LS_RESOURCE_CUSTOM] = "custom",
};

const char *const ls_verdict_names[LS_VERDICT_COUNT] = {
    [LS_VERDICT_LEARNING] = "learning", [LS_VERDICT_RISING] = "rising",
    [LS_VERDICT_SETTLING] = "settling", [LS_VERDICT_STEADY] = "steady",
    [LS_VERDICT_SAWTOOTH] = "sawtooth", [LS_VERDICT_FALLING] = "falling",
};

const char *const ls_process_verdict_names[LS_PROCESS_VERDICT_COUNT] = {
    [LS_PROCESS_LEARNING] = "learning", [LS_PROCESS_CLEAN] = "clean",
    [LS_PROCESS_LEAKING] = "leaking",   [LS_PROCESS_FRAGMENTING] = "fragmenting",
    [LS_PROCESS_BACKLOG] = "backlog",
};
