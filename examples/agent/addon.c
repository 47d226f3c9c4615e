/* The third way in: an add-on for Node. `require('./agent.node').trace(name, bytes)`. */
#include <node_api.h>

#include "agent.h"

static napi_value trace(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    size_t count = 2;
    char name[256] = "";
    size_t length;
    double bytes = 0;

    if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) == napi_ok && count == 2 &&
        napi_get_value_string_utf8(env, arguments[0], name, sizeof(name), &length) == napi_ok &&
        napi_get_value_double(env, arguments[1], &bytes) == napi_ok)
        agent_trace(name, (size_t)bytes);
    return NULL;
}

NAPI_MODULE_INIT()
{
    napi_value function;

    if (napi_create_function(env, "trace", NAPI_AUTO_LENGTH, trace, NULL, &function) == napi_ok)
        napi_set_named_property(env, exports, "trace", function);
    return exports;
}
