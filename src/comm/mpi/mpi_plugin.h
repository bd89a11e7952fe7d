#pragma once

/* The functions of MPI that Bertha calls, as a table. Each MPI library has types and constants of
   its own, so a program that calls one library directly cannot use another. mpi_plugin.c is
   compiled once for each library and gives this table; the program loads the one of its launcher
   (mpi_library.h). Both files are plain C: any mpicc can compile a plugin. */

/* NOLINTBEGIN(modernize-*,readability-identifier-naming): this is C */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  BERTHA_MPI_INTERFACE = 1,    /* changes whenever this file does */
  BERTHA_MPI_TEXT_BYTES = 1024 /* size of the text buffers below */
};

typedef int64_t BerthaMpiComm;    /* an MPI_Comm */
typedef int64_t BerthaMpiRequest; /* an MPI_Request; 0 when no operation is pending */

typedef enum {
  BERTHA_MPI_BYTE,
  BERTHA_MPI_INT,
  BERTHA_MPI_UINT16,
  BERTHA_MPI_UINT64,
  BERTHA_MPI_FLOAT,
  BERTHA_MPI_DOUBLE
} BerthaMpiType;

typedef enum { BERTHA_MPI_SUM, BERTHA_MPI_MAX } BerthaMpiOp;

/* Functions that return int return the status of MPI: 0 is success, error_string() has the text of
   others. Counts and displacements are in elements of `type`. Texts end with a zero. */
typedef struct BerthaMpi {
  int32_t interface_version; /* BERTHA_MPI_INTERFACE */

  /* Initialises MPI for calls from several threads. `multiple` tells whether the library allows
     them. Errors are returned from then on. */
  int (*init)(int* multiple);
  int (*finalize)(void);
  void (*abort)(int status);
  void (*error_string)(int status, char* text);
  void (*processor_name)(char* text);
  void (*library_version)(char* text); /* cut to the buffer; may be called before init */

  BerthaMpiComm (*world)(void);
  int (*comm_dup)(BerthaMpiComm comm, BerthaMpiComm* copy);
  int (*comm_free)(BerthaMpiComm* comm);
  int (*comm_rank)(BerthaMpiComm comm);
  int (*comm_size)(BerthaMpiComm comm);
  /* The number of this rank among the ranks of its host. */
  int (*rank_on_host)(int* rank);

  int (*barrier)(BerthaMpiComm comm);
  int (*bcast)(void* data, int count, BerthaMpiType type, int root, BerthaMpiComm comm);
  /* `count` elements of each rank. */
  int (*allgather)(const void* mine, void* all, int count, BerthaMpiType type, BerthaMpiComm comm);
  /* In place: each rank's part lies in `all` already. */
  int (*allgatherv)(void* all, const int* counts, const int* begin, BerthaMpiType type,
                    BerthaMpiComm comm);
  int (*gatherv)(const void* mine, int count, void* all, const int* counts, const int* begin,
                 BerthaMpiType type, int root, BerthaMpiComm comm);

  int (*ibarrier)(BerthaMpiComm comm, BerthaMpiRequest* request);
  /* `mine` is null when the values lie in `all` already. */
  int (*iallreduce)(const void* mine, void* all, int count, BerthaMpiType type, BerthaMpiOp op,
                    BerthaMpiComm comm, BerthaMpiRequest* request);
  int (*iallgatherv)(void* all, const int* counts, const int* begin, BerthaMpiType type,
                     BerthaMpiComm comm, BerthaMpiRequest* request);
  int (*ialltoallv)(const void* sent, const int* sent_counts, const int* sent_begin, void* received,
                    const int* received_counts, const int* received_begin, BerthaMpiType type,
                    BerthaMpiComm comm, BerthaMpiRequest* request);
  int (*isend)(const void* data, int bytes, int rank, int tag, BerthaMpiComm comm,
               BerthaMpiRequest* request);
  int (*irecv)(void* data, int bytes, int rank, int tag, BerthaMpiComm comm,
               BerthaMpiRequest* request);

  /* Sets `done` when the operation is complete, or when there is none; then `request` is 0. */
  int (*test)(BerthaMpiRequest* request, int* done);
  int (*wait)(BerthaMpiRequest* request);
} BerthaMpi;

/* The one symbol of a plugin. */
const BerthaMpi* bertha_mpi(void);

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-*,readability-identifier-naming) */
