/** The function, computed once for each argument: what the reference says is the same for all backends of a file. */
export function onceForEach<A, R>(compute: (argument: A) => R): (argument: A) => R {
  const known = new Map<A, R>();
  return (argument) => {
    if (!known.has(argument)) known.set(argument, compute(argument));
    return known.get(argument)!; // set by the line before
  };
}
