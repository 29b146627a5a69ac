// SPDX-License-Identifier: Apache-2.0
//
// Telling when nobody can hold any more what was made unreachable. Runs on the generations thread.
#include "kafka/internal.h"

bool epoch_passed(struct epoch *epoch, struct grace *grace)
{
    /* Who had entered before is counted on one of the two sides until it leaves, so both have to be seen
     * empty once, at any two times. Newcomers are sent to the side that was seen empty, so that the other one
     * empties however many they are. */
    for (unsigned side = 0; side < 2; side++)
        if (atomic_load(&epoch->inside[side]) == 0)
            grace->seen_empty[side] = true;
    if (!grace->seen_empty[atomic_load(&epoch->current) & 1])
        atomic_fetch_add(&epoch->current, 1);
    return grace->seen_empty[0] && grace->seen_empty[1];
}
