/**
 * Lists in groups, for who draws them: what changes in one group leaves the others as they are.
 */
export type Groups<Item> = readonly (readonly Item[])[];

/** Return the items in groups of so many. One that is as it was `before` stays the same object. */
export function inGroups<Item>(items: readonly Item[], size: number, before: Groups<Item> = []): Groups<Item> {
  const groups: (readonly Item[])[] = [];
  for (let begin = 0; begin < items.length; begin += size) {
    const group = items.slice(begin, begin + size);
    const old = before[groups.length];
    const isSame = old?.length === group.length && group.every((item, index) => item === old[index]);
    groups.push(isSame ? old : group);
  }
  return groups;
}
