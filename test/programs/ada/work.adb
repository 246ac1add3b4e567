package body Work is
   function Mix_It (X : Word) return Word is
      Y : Word := X;
   begin
      for I in 1 .. 1000 loop
         Y := Y * 1664525 + 1013904223 + Y / 128;
      end loop;
      return Y;
   end Mix_It;
   pragma No_Inline (Mix_It);
   function "*" (X : Word; Y : Boolean) return Word is
   begin
      return (if Y then Mix_It (X) else X);
   end "*";
   pragma No_Inline ("*");
   package body Inner is
      procedure Step (X : in out Word) is
      begin
         X := (X * True) + 1;
      end Step;
      pragma No_Inline (Step);
   end Inner;
end Work;
