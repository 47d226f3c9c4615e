/*
 * Who the sockets of a stack talk to: for each stack that opens sockets and each address one record
 * of counters. A socket that connects counts for the address it connects to, one that was accepted
 * for the address it was accepted at.
 *
 * Any thread and signal handlers add to it: no lock, no wait, no errno. Their number is bounded: at
 * each summary, when few are left, the collector takes back records without a live socket, those
 * that were active the longest ago first, and adds their counts to the one record of the stack that
 * stands for all its other addresses (`length` 0). Addresses that find no record count there as
 * well, and when not even that can be had they are not counted here. Who has obtained a record
 * keeps it until it is detached from. A forked child goes on with it as it stands.
 */
#ifndef LS_CAPTURE_PEERS_H
#define LS_CAPTURE_PEERS_H

#include <stdbool.h>
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
    _Atomic uint64_t hash; /* relaxed: a hint, looked at again once the record is held */
    uint32_t stack;        /* of the socket */
    struct ls_peer_address address;
    /* Who is attached: descriptors open now, and who is looking. Far below 0: the record is free.
     */
    _Atomic int64_t live;
    _Atomic uint32_t is_taken; /* of the free ones, those that are being filled */
    /* Relaxed all of them: statistics. */
    _Atomic uint64_t opened; /* attempts to connect, or sockets accepted */
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
    uint64_t active_ns; /* when it had a live socket or an attempt, as far as summaries tell */
    double opened_per_s;
};

/* What an attempt that was given up before it had an outcome failed with. */
#define LS_PEER_ABANDONED (-1)

/* The record's number, counted from 1; 0 when there is none to be had. Attached to it: to be
 * detached from, and counted for before that. */
uint32_t ls_peer_obtain(uint32_t stack, const struct ls_peer_address *address);
void ls_peer_opened(uint32_t number);
void ls_peer_connected(uint32_t number, uint64_t took_ns);
void ls_peer_failed(uint32_t number, int error);
void ls_peer_detached(uint32_t number);
void ls_peer_lived(uint32_t number, uint64_t ns);

/* For the collector: one past the highest number; the record, NULL when it is free. It stays what
 * it is until ls_peers_make_room. */
uint32_t ls_peers_end(void);
struct ls_peer *ls_peer_at(uint32_t number);
/* Takes back idle records when few are free. */
void ls_peers_make_room(uint64_t now_ns);
/* The middle of a class, in seconds. */
double ls_peer_class_s(unsigned class);

#endif
