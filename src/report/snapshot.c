#include "report/snapshot.h"

const char *const ls_health_state_names[3] = {
    [LS_HEALTH_ACTIVE] = "active",
    [LS_HEALTH_DEGRADED] = "degraded",
    [LS_HEALTH_OFF] = "off",
};
