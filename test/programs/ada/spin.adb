with Work; use Work;
with Ada.Calendar; use Ada.Calendar;
procedure Spin is
   Begun : constant Time := Clock;
   X : Word := 1;
begin
   loop
      for I in 1 .. 1000 loop
         Inner.Step (X);
      end loop;
      exit when Clock - Begun > 3.0;
   end loop;
   if X = 7 then
      raise Program_Error;
   end if;
end Spin;
