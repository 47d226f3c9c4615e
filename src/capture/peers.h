/*
 * Who the sockets of a stack talk to: for each stack that opens sockets and each address one record
 * of counters. A socket that connects counts for the address it connects to, one that was accepted
 * for the address it was accepted at.
 *
 * Any thread and signal handlers add to it: no lock, no wait, no errno. Records are never taken
 * back. When their number or the memory is at its end, addresses met later are one record a stack
 * (`length` 0), and when not even that can be had they are not counted here. A forked child goes on
 * with it as it stands.
 */
#ifndef LS_CAPTURE_PEERS_H
#define LS_CAPTURE_PEERS_H

#include <stdint.h>

#include "base/atomic.h"

#define LS_PEERS_MAX          512
#define LS_PEER_ADDRESS_BYTES 112
#define LS_PEER_ERRORS        6
/* Four classes to an octave, from 2^10 ns on. */
#define LS_PEER_CLASSES 128

/* A struct sockaddr without what does not tell peers apart. */
struct ls_peer_address {
    uint16_t length;
    unsigned char bytes[LS_PEER_ADDRESS_BYTES];
};

struct ls_peer {
    uint64_t hash;
    uint32_t stack; /* of the socket */
    struct ls_peer_address address;
    /* Relaxed all of them: statistics. */
    _Atomic uint64_t opened; /* attempts to connect, or sockets accepted */
    _Atomic int64_t live;    /* descriptors open now */
    _Atomic uint64_t failed;
    struct {
        _Atomic int number; /* errno; 0: free */
        _Atomic uint32_t count;
    } errors[LS_PEER_ERRORS];
    _Atomic uint32_t connect_times[LS_PEER_CLASSES];
    _Atomic uint32_t lives[LS_PEER_CLASSES]; /* from connected to closed */

    /* The collector's. */
    uint32_t unused;
    uint64_t opened_before;
    double opened_per_s;
};

/* What an attempt that was given up before it had an outcome failed with. */
#define LS_PEER_ABANDONED (-1)

/* The record's number, counted from 1; 0 when there is none to be had. */
uint32_t ls_peer_obtain(uint32_t stack, const struct ls_peer_address *address);
void ls_peer_opened(uint32_t number);
void ls_peer_attached(uint32_t number);
void ls_peer_connected(uint32_t number, uint64_t took_ns);
void ls_peer_failed(uint32_t number, int error);
void ls_peer_detached(uint32_t number);
void ls_peer_lived(uint32_t number, uint64_t ns);

/* For readers: NULL behind the last one. */
struct ls_peer *ls_peer_at(uint32_t number);
/* The middle of a class, in seconds. */
double ls_peer_class_s(unsigned class);

#endif
