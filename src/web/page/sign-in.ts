import { make } from './element.ts';
import { signIn } from './registry.ts';

/** Asks for the name and password of a registry's user. */
export function signInForm(message: string, done: () => void): Element {
  const name = make('input', { autocomplete: 'username', required: true });
  const password = make('input', { type: 'password', autocomplete: 'current-password', required: true });
  const form = make(
    'form',
    {},
    make('label', {}, 'Name ', name),
    make('label', {}, 'Password ', password),
    make('button', {}, 'Sign in'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    signIn(name.value, password.value);
    done();
  });
  return make(
    'section',
    { 'aria-label': 'Sign in' },
    make('h1', {}, 'Sign in'),
    message === '' ? undefined : make('p', { role: 'alert' }, message),
    form,
  );
}
