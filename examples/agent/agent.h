/*
 * A monitoring agent: it is told of each piece of work and reports to a collector, which is never
 * there. agent.c is the leak, agent-fixed.c its repair.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stddef.h>

/* Notes that the work of that name took so many bytes. Any thread. */
void agent_trace(const char *name, size_t bytes);

#endif
