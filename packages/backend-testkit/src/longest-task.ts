/// <reference lib="dom" />

/** The longest of a page's tasks while something goes on, in milliseconds: 0 where none was over 50. */
export async function longestTask(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ type: "longtask" });
  await work();
  await new Promise((resolve) => setTimeout(resolve, 100)); // they are told afterwards
  observer.disconnect();
  return longest;
}
