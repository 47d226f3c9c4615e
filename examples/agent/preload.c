/* The first way in: preloaded, the agent stands in front of write() and traces each call. */
#include <dlfcn.h>
#include <unistd.h>

#include "agent.h"

ssize_t write(int descriptor, const void *bytes, size_t count)
{
    static ssize_t (*real)(int, const void *, size_t);

    if (real == NULL)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    agent_trace("write to a descriptor of the service", count);
    return real(descriptor, bytes, count);
}
