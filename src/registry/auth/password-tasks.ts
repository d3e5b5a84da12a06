import { compareSync } from 'bcryptjs';

export interface PasswordCheck {
  readonly password: string;
  /** bcrypt */
  readonly hash: string;
}

/** For a worker thread: a check costs many milliseconds by intention. */
export const passwordTasks = {
  checkPassword: ({ password, hash }: PasswordCheck) => compareSync(password, hash),
};
