import { defineCommand } from '../command.ts';
export const build = defineCommand({
  short: 'Build an image from a Dockerfile',
  usage: 'PATH | URL | -',
  count: [1, 1],
  flags: {},
  async run() {
    return 1;
  },
});
