#ifndef CASEMATE_REASONS_H
#define CASEMATE_REASONS_H
/*
 * Every reason a call can fail for: name, class, number, what happened, how to mend it.
 * Numbers are part of the ABI: never reused, a block of 256 per module.
 */
/* clang-format off */
#define CM_REASONS(X)                                                                              \
    /* base: 0x0001 */                                                                             \
    X(NO_MEMORY, EXHAUSTED, 0x0001, "out of memory", "free memory or lower the number of threads") \
    X(NO_LOCKED_MEMORY, EXHAUSTED, 0x0002, "no locked memory left for secrets",                    \
      "raise the memlock limit (ulimit -l, LimitMEMLOCK=)")                                        \
    X(TOO_BIG, LIMIT, 0x0003, "a value is larger than its limit", "")                              \
    X(OVERFLOW, LIMIT, 0x0004, "a size does not fit the machine's integers", "")                   \
    X(BAD_ARGUMENT, INVALID, 0x0005, "an argument is out of range", "")                            \
    X(NO_THREAD, EXHAUSTED, 0x0006, "could not start a thread", "raise the process limit (ulimit -u)") \
    X(NO_ENTROPY, INTERNAL, 0x0007, "the random generator failed", "check the system's entropy source") \
    X(CANCELLED, CONFLICT, 0x0008, "stopped on request", "")                                       \
    X(IO_READ, IO, 0x0009, "reading failed", "check the disk or the pipe")                         \
    X(IO_WRITE, IO, 0x000a, "writing failed", "check the disk or the pipe")                        \
    X(IO_SYNC, IO, 0x000b, "flushing to disk failed", "check the disk; the file may not be durable") \
    X(IO_OPEN, IO, 0x000c, "opening failed", "check the path and its permissions")                 \
    X(IO_RENAME, IO, 0x000d, "moving the finished file into place failed", "check the folder's permissions") \
    X(NO_SPACE, IO, 0x000e, "the disk is full", "free space and run the same command again")       \
    X(NO_FILE, NOTFOUND, 0x000f, "no such file", "check the path")                                 \
    X(NO_PERMISSION, DENIED, 0x0010, "permission denied", "check the owner and mode of the file and its folder") \
    X(IO_PIPE_CLOSED, IO, 0x0011, "the reader closed the pipe", "")                                \
    X(IO_SHORT, IO, 0x0012, "the file ended early", "check that nothing else writes to it")        \
    X(FILE_EXISTS, CONFLICT, 0x0013, "the output exists already", "choose another name, or --force to replace it") \
    X(FILE_BUSY, CONFLICT, 0x0014, "another process is writing this output", "wait for it, or choose another name") \
    /* codec: 0x0101 */                                                                            \
    /* crypt: 0x0201 */                                                                            \
    X(MERKLE_PROOF, UNAUTHENTIC, 0x0240, "a Merkle proof does not lead to the expected root", "fetch the proof and the signed root again from their source") \
    /* pki: 0x0301 */                                                                              \
    /* envelope: 0x0401 */                                                                         \
    /* sealed: 0x0501 */                                                                           \
    /* cmd: 0x0f01 */                                                                              \

/* clang-format on */
#endif
