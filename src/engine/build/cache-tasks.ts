import { treeSize } from '../containers/tree-size.ts';

/** What the build cache runs in worker threads. */
export const cacheTasks = { 'tree-size': (folder: string) => treeSize(folder) };
